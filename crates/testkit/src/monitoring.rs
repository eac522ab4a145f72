//! The server's monitoring endpoint, spoken by hand: one GET per connection, no HTTP library.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A monitoring answer comes in milliseconds; this only bounds a server that hangs.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Status and body of `GET path`.
pub(crate) async fn get(address: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        // HTTP/1.0: the server neither chunks the body nor keeps the connection open.
        let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok::<_, io::Error>(answer)
    };
    let answer = timeout(ANSWER_WITHIN, exchange)
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "no answer in time"))??;
    parse(&answer).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not an HTTP answer"))
}

fn parse(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status_line = head.lines().next()?;
    let status = status_line
        .strip_prefix("HTTP/1.")?
        .split(' ')
        .nth(1)?
        .parse()
        .ok()?;
    Some((status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_status_and_body() {
        let table = [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
                Some((200, "{}".to_owned())),
            ),
            (
                "HTTP/1.0 503 Service Unavailable\r\n\r\n",
                Some((503, String::new())),
            ),
            ("HTTP/1.0 503 Service Unavailable\r\n", None),
            ("INFO {}\r\n\r\n", None),
            ("", None),
        ];
        for (answer, expected) in table {
            assert_eq!(parse(answer), expected, "{answer:?}");
        }
    }
}
