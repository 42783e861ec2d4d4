//! The make-believe provider: it answers every request in the same way, and tells what that used.

use anyhow::Context as _;
use serde_json::json;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What it says.
const ANSWER: &str = "Hello from a model that is make-believe, too.";

/// Listens as long as it is held.
pub(super) struct Provider {
    address: SocketAddr,
    listening: JoinHandle<()>,
}

impl Provider {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .context("the demo's provider cannot listen")?;
        let address = listener.local_addr()?;
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Whoever asks may be gone before it is answered.
                tokio::spawn(async move { drop(answer(stream).await) });
            }
        });
        Ok(Self { address, listening })
    }

    /// The base address of its chat completions.
    pub(super) fn base(&self) -> String {
        format!("http://{}/v1", self.address)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    const LONGEST: usize = 64 << 10;
    let mut request = Vec::new();
    while !is_whole(&request) && request.len() < LONGEST {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let message = json!({"role": "assistant", "content": ANSWER});
    let document = json!({
        "id": format!("chatcmpl-{:032}", std::process::id()),
        "object": "chat.completion",
        "model": super::FIRST_MODEL,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1_200, "completion_tokens": 80, "total_tokens": 1_280},
    })
    .to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        document.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(document.as_bytes()).await
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse::<usize>().ok())?
    });
    body.len() >= length.unwrap_or(0)
}
