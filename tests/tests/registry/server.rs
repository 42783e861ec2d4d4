//! A web server that serves a folder, and misbehaves where it is told to.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

pub struct Server {
    shared: Arc<Shared>,
    port: u16,
    scheme: &'static str,
}

struct Shared {
    folder: PathBuf,
    odd: Mutex<BTreeMap<String, Odd>>,
    asked: Mutex<Vec<String>>,
    /// The paths that were ever asked for, answered or not.
    heads: Mutex<Vec<String>>,
    latency: Mutex<Duration>,
    /// Closed while answers are held back.
    gate: Mutex<bool>,
    opened: Condvar,
    ends: AtomicBool,
}

/// What is answered instead of a file.
#[derive(Clone)]
pub enum Odd {
    Bytes(Vec<u8>),
    Status(u16),
    Redirect(String),
    /// Half of it, and then nothing any more.
    Cut,
    /// The first time only.
    CutOnce,
    /// Bytes that never end.
    Endless,
    /// Nothing at all, for as long as the server lives.
    Silence,
}

/// What speaks TLS with a certificate of an authority that only a test knows.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    fn config(&self) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key);
        Arc::new(config.unwrap())
    }
}

impl Server {
    pub fn start(folder: &Path) -> Self {
        Self::serve(folder, None)
    }

    pub fn with_tls(folder: &Path, authority: &Authority) -> Self {
        Self::serve(folder, Some(authority.config()))
    }

    fn serve(folder: &Path, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            folder: folder.to_owned(),
            odd: Mutex::default(),
            asked: Mutex::default(),
            heads: Mutex::default(),
            latency: Mutex::default(),
            gate: Mutex::new(false),
            opened: Condvar::new(),
            ends: AtomicBool::new(false),
        });
        let scheme = if tls.is_some() { "https" } else { "http" };
        let served = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if served.ends.load(Ordering::Relaxed) {
                    return;
                }
                let (served, tls) = (Arc::clone(&served), tls.clone());
                std::thread::spawn(move || {
                    stream.set_nodelay(true).unwrap();
                    // A client that goes away is not the server's failure.
                    let _ = match tls {
                        None => served.talk(stream),
                        Some(config) => {
                            let connection = ServerConnection::new(config).unwrap();
                            served.talk(StreamOwned::new(connection, stream))
                        }
                    };
                });
            }
        });
        Self {
            shared,
            port,
            scheme,
        }
    }

    pub fn url(&self) -> String {
        let host = if self.scheme == "https" {
            "localhost"
        } else {
            "127.0.0.1"
        };
        format!("{}://{host}:{}", self.scheme, self.port)
    }

    /// What paths with this beginning are answered with from now on.
    pub fn answer(&self, path: &str, odd: Odd) {
        self.shared.odd.lock().unwrap().insert(path.to_owned(), odd);
    }

    pub fn behave(&self) {
        self.shared.odd.lock().unwrap().clear();
    }

    /// The paths that were asked for since this was last called, with the status of each.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.shared.asked.lock().unwrap())
    }

    /// Whether a path with this beginning was ever asked for, answered or not.
    pub fn is_asked(&self, path: &str) -> bool {
        let heads = self.shared.heads.lock().unwrap();
        heads.iter().any(|asked| asked.starts_with(path))
    }

    pub fn set_latency(&self, latency: Duration) {
        *self.shared.latency.lock().unwrap() = latency;
    }

    /// Holds artifacts back until [`Server::open`].
    pub fn close(&self) {
        *self.shared.gate.lock().unwrap() = true;
    }

    pub fn open(&self) {
        *self.shared.gate.lock().unwrap() = false;
        self.shared.opened.notify_all();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::Relaxed);
        self.open();
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    fn talk(&self, mut stream: impl Read + Write) -> io::Result<()> {
        while let Some(head) = read_head(&mut stream)? {
            let path = head.split(' ').nth(1).unwrap_or("/").to_owned();
            self.heads.lock().unwrap().push(path.clone());
            // A network that is far away, and a pause of its own here.
            let latency = *self.latency.lock().unwrap();
            std::thread::sleep(latency);
            if path.starts_with("/artifacts/") {
                let gate = self.gate.lock().unwrap();
                drop(self.opened.wait_while(gate, |closed| *closed).unwrap());
            }
            let mut odd = self.odd.lock().unwrap();
            let key = odd.keys().find(|known| path.starts_with(*known)).cloned();
            let answer = key.as_ref().and_then(|key| odd.get(key).cloned());
            if matches!(answer, Some(Odd::CutOnce)) {
                odd.remove(&key.unwrap());
            }
            drop(odd);
            let body = match answer {
                None => fs::read(self.folder.join(&path[1..])).ok(),
                Some(Odd::Bytes(bytes)) => Some(bytes),
                Some(odd) => return self.misbehave(&mut stream, &path, odd),
            };
            let Some(body) = body else {
                self.note(&path, 404);
                stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")?;
                continue;
            };
            let mut hasher = DefaultHasher::new();
            body.hash(&mut hasher);
            let etag = format!("\"{:x}\"", hasher.finish());
            if head.contains(&format!("if-none-match: {etag}")) {
                self.note(&path, 304);
                let text = format!("HTTP/1.1 304 Not Modified\r\netag: {etag}\r\n\r\n");
                stream.write_all(text.as_bytes())?;
                continue;
            }
            self.note(&path, 200);
            let length = body.len();
            let text =
                format!("HTTP/1.1 200 OK\r\netag: {etag}\r\ncontent-length: {length}\r\n\r\n");
            stream.write_all(&[text.as_bytes(), &body].concat())?;
        }
        Ok(())
    }

    fn misbehave(&self, stream: &mut impl Write, path: &str, odd: Odd) -> io::Result<()> {
        self.note(path, 0);
        match odd {
            Odd::Status(status) => {
                write!(
                    stream,
                    "HTTP/1.1 {status} Odd\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                )
            }
            Odd::Redirect(to) => write!(
                stream,
                "HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            ),
            Odd::Bytes(_) | Odd::Cut | Odd::CutOnce => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhalf")
            }
            Odd::Endless => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
                let chunk = [b"10000\r\n", vec![b'x'; 0x10000].as_slice(), b"\r\n"].concat();
                while !self.ends.load(Ordering::Relaxed) {
                    stream.write_all(&chunk)?;
                }
                Ok(())
            }
            Odd::Silence => {
                while !self.ends.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Ok(())
            }
        }
    }

    fn note(&self, path: &str, status: u16) {
        self.asked.lock().unwrap().push(format!("{path} {status}"));
    }
}

/// A client asks again only when it has its answer, so nothing stands behind a head.
fn read_head(stream: &mut impl Read) -> io::Result<Option<String>> {
    let mut head = Vec::new();
    let mut buffer = [0; 4_096];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buffer)? {
            0 => return Ok(None),
            count => head.extend_from_slice(&buffer[..count]),
        }
    }
    Ok(Some(String::from_utf8_lossy(&head).to_ascii_lowercase()))
}
