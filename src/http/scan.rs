//! ClamAV's `clamd`, as clamd(8) describes it: one `zINSTREAM` for each file, over TCP or a socket in the file system.

use crate::settings::{Scan, Scanner};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

/// What goes over in one piece.
const CHUNK: usize = 64 * 1024;
/// Longest answer; signatures have short names.
const ANSWER_BYTES_MAX: u64 = 1_024;

/// What a scanner says of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Clean,
    /// It holds what this signature describes.
    Infected(String),
}

/// Has a file scanned; `None` when no scanner is set.
///
/// # Errors
/// The scanner is not there, is too slow, or cannot scan it; in words, for the log.
pub(super) async fn scan(settings: &Scan, bytes: &[u8]) -> Result<Option<Verdict>, String> {
    let Some(scanner) = settings.scanner() else { return Ok(None) };
    let asked = async {
        match scanner {
            Scanner::Tcp(address) => ask(TcpStream::connect(address).await?, bytes).await,
            Scanner::Unix(path) => ask(UnixStream::connect(path).await?, bytes).await,
        }
    };
    let late = |_| format!("clamd did not answer within {}", settings.timeout);
    let said = tokio::time::timeout(settings.timeout.std(), asked).await.map_err(late)?;
    read(&said.map_err(|error| format!("clamd cannot be asked: {error}"))?).map(Some)
}

/// Whether the scanner scans, for `tieline doctor`; `None` when none is set.
///
/// # Errors
/// As uploads would meet it, in words.
pub async fn scanner_works(settings: &Scan) -> Result<Option<()>, String> {
    Ok(scan(settings, b"tieline doctor").await?.map(drop))
}

async fn ask(mut clamd: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) -> std::io::Result<String> {
    // clamd closes its side early when a file is too long for it; its answer says so and is worth reading.
    let sent = send(&mut clamd, bytes).await;
    let mut said = Vec::new();
    let heard = clamd.take(ANSWER_BYTES_MAX).read_to_end(&mut said).await;
    if said.is_empty() {
        sent.and(heard)?;
    }
    Ok(String::from_utf8_lossy(&said).into_owned())
}

async fn send(clamd: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> std::io::Result<()> {
    clamd.write_all(b"zINSTREAM\0").await?;
    for chunk in bytes.chunks(CHUNK) {
        let length = u32::try_from(chunk.len()).map_err(std::io::Error::other)?;
        clamd.write_all(&length.to_be_bytes()).await?;
        clamd.write_all(chunk).await?;
    }
    clamd.write_all(&[0; 4]).await?;
    clamd.flush().await
}

/// `stream: OK`, `stream: Some.Signature FOUND`, or an error.
fn read(said: &str) -> Result<Verdict, String> {
    let said = said.trim_end_matches('\0').trim();
    let of_stream = said.strip_prefix("stream: ");
    if of_stream == Some("OK") {
        return Ok(Verdict::Clean);
    }
    match of_stream.and_then(|said| said.strip_suffix(" FOUND")) {
        Some(signature) => Ok(Verdict::Infected(signature.to_owned())),
        None => Err(format!("clamd cannot scan it: {}", said.chars().take(200).collect::<String>())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_ok_means_clean() {
        assert_eq!(read("stream: OK\0"), Ok(Verdict::Clean));
        assert_eq!(read("stream: A.B-1 FOUND\0"), Ok(Verdict::Infected("A.B-1".to_owned())));
        for other in ["", "OK", "stream: OK ERROR", "INSTREAM size limit exceeded. ERROR\0", "stream: ERROR"]
        {
            assert!(read(other).is_err(), "{other}");
        }
    }
}
