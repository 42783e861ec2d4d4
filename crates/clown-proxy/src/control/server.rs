//! The instance's end.

use super::{Ask, MAX_LINE, Told};
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};

/// Does what is asked, one after the other.
pub(crate) trait Steered: Send + Sync + 'static {
    fn asked(&self, ask: Ask) -> impl Future<Output = Told> + Send;
}

/// Answers whoever connects, until it is dropped.
pub(crate) async fn serve(listener: UnixListener, steered: Arc<impl Steered>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let steered = Arc::clone(&steered);
                tokio::spawn(async move {
                    if let Err(error) = converse(stream, &*steered).await {
                        tracing::debug!("a steering connection ended: {error}");
                    }
                });
            }
            Err(error) => {
                tracing::warn!("a steering connection cannot be accepted: {error}");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
}

async fn converse(stream: UnixStream, steered: &impl Steered) -> io::Result<()> {
    let own = rustix::process::geteuid().as_raw();
    if stream.peer_cred()?.uid() != own {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let (reading, mut writing) = stream.into_split();
    let mut reading = BufReader::new(reading);
    loop {
        let mut line = zeroize::Zeroizing::new(Vec::new());
        let limit = MAX_LINE as u64;
        let count = (&mut reading)
            .take(limit)
            .read_until(b'\n', &mut line)
            .await?;
        if count == 0 {
            return Ok(());
        }
        let told = match serde_json::from_slice::<Ask>(&line) {
            Ok(ask) => steered.asked(ask).await,
            Err(error) => Told::Refused {
                // Not with what was read, which may hold a key.
                reason: format!("what was asked is not understood (line {})", error.line()),
            },
        };
        let mut answer = zeroize::Zeroizing::new(serde_json::to_vec(&told)?);
        answer.push(b'\n');
        writing.write_all(&answer).await?;
    }
}
