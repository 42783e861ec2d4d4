//! The record of one request, from its beginning to its end.

use crate::config::{Configuration, Format};
use crate::metering::Reading;
use crate::spool::{Fault, Record, Spool};
use clown_events::Timestamp;
use http::HeaderValue;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

/// Written when it is finished, or else when it is dropped: then the agent has left.
pub(super) struct Entry {
    spool: Arc<Spool>,
    record: Option<Record>,
    begun: Instant,
}

impl Entry {
    pub(super) fn begin(
        spool: &Arc<Spool>,
        configuration: &Configuration,
        format: Format,
        path: &str,
    ) -> Self {
        let at = Timestamp::now();
        let record = Record {
            id: new_id(at),
            at,
            agent: configuration.agent.clone(),
            provider: configuration.provider.clone(),
            rule: None,
            format,
            path: path.to_owned(),
            session: None,
            model: None,
            model_used: None,
            message_id: None,
            streamed: false,
            status: None,
            first_byte_ms: None,
            duration_ms: 0,
            tokens: None,
            error: None,
        };
        Self {
            spool: Arc::clone(spool),
            record: Some(record),
            begun: Instant::now(),
        }
    }

    pub(super) fn note(&mut self, write: impl FnOnce(&mut Record)) {
        if let Some(record) = &mut self.record {
            write(record);
        }
    }

    /// The rule that was followed, for the agent.
    pub(super) fn label(&self) -> Option<HeaderValue> {
        let rule = self.record.as_ref()?.rule.as_ref()?;
        HeaderValue::try_from(format!("rule={rule}")).ok()
    }

    /// The first byte of the answer's body is here.
    pub(super) fn first_byte(&mut self) {
        let passed = self.passed();
        self.note(|record| {
            record.first_byte_ms.get_or_insert(passed);
        });
    }

    pub(super) fn read(&mut self, reading: Reading) {
        self.note(|record| {
            record.model_used = reading.model;
            record.message_id = reading.message_id;
            record.tokens = reading.tokens;
        });
    }

    /// The request is over.
    pub(super) fn finish(&mut self, fault: Option<Fault>) {
        let duration_ms = self.passed();
        if let Some(mut record) = self.record.take() {
            record.error = fault;
            record.duration_ms = duration_ms;
            self.spool.append(&record);
        }
    }

    fn passed(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.finish(Some(Fault::ClientLeft));
    }
}

/// Ids sort by time, and none is given twice, not by another instance either.
fn new_id(at: Timestamp) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    // Without randomness the time and the count still tell apart what one instance writes.
    let chance = getrandom::u32().unwrap_or_default();
    format!("{:011x}-{count:08x}-{chance:08x}", at.unix_millis())
}
