//! What each mode of the proxy does to requests and answers.

mod common;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use callflume_testkit::{FaultyProxy, Mode, Server, wait_for};
use common::DEADLINE;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

const REQUEST: &[u8] = b"question";
const ANSWER: &[u8] = b"an answer";

/// Answers every request of fixed length; counts those it executed.
async fn service() -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let executed = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&executed);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let count = Arc::clone(&count);
            tokio::spawn(async move {
                let mut request = [0; REQUEST.len()];
                while stream.read_exact(&mut request).await.is_ok() {
                    count.fetch_add(1, Ordering::AcqRel);
                    if stream.write_all(ANSWER).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, executed)
}

async fn connected(proxy: &FaultyProxy) -> TcpStream {
    TcpStream::connect(proxy.address()).await.unwrap()
}

async fn exchange(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    stream.write_all(REQUEST).await?;
    let mut answer = vec![0; ANSWER.len()];
    timeout(DEADLINE, stream.read_exact(&mut answer))
        .await
        .expect("an answer or an error in time")?;
    Ok(answer)
}

async fn until_lost(proxy: &FaultyProxy, bytes: usize) {
    wait_for("the answer to be lost", DEADLINE, async || {
        (proxy.lost_bytes() == bytes as u64).then_some(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn passes_by_default() {
    let (upstream, executed) = service().await;
    let proxy = FaultyProxy::start(upstream).await.unwrap();
    let mut stream = connected(&proxy).await;
    for _ in 0..3 {
        assert_eq!(exchange(&mut stream).await.unwrap(), ANSWER);
    }
    assert_eq!(executed.load(Ordering::Acquire), 3);
    assert_eq!((proxy.accepted(), proxy.lost_bytes()), (1, 0));
}

#[tokio::test]
async fn a_swallowed_answer_was_executed_and_never_comes() {
    let (upstream, executed) = service().await;
    let proxy = FaultyProxy::start(upstream).await.unwrap();
    let mut stream = connected(&proxy).await;
    exchange(&mut stream).await.unwrap();

    proxy.set(Mode::Swallow).await.unwrap();
    stream.write_all(REQUEST).await.unwrap();
    until_lost(&proxy, ANSWER.len()).await;
    assert_eq!(executed.load(Ordering::Acquire), 2);

    // Back to normal: new connections work, the old one stays silent, since it has a gap.
    proxy.set(Mode::Pass).await.unwrap();
    exchange(&mut connected(&proxy).await).await.unwrap();
    stream.write_all(REQUEST).await.unwrap();
    until_lost(&proxy, 2 * ANSWER.len()).await;
    let unread = stream.try_read(&mut [0; 1]).unwrap_err();
    assert_eq!(unread.kind(), ErrorKind::WouldBlock);
}

#[tokio::test]
async fn a_cut_ends_the_connections_that_exist_and_no_others() {
    let (upstream, _) = service().await;
    let proxy = FaultyProxy::start(upstream).await.unwrap();
    let mut streams = [connected(&proxy).await, connected(&proxy).await];
    for stream in &mut streams {
        exchange(stream).await.unwrap();
    }
    proxy.cut().await.unwrap();
    for stream in &mut streams {
        let error = stream.read(&mut [0; 1]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    exchange(&mut connected(&proxy).await).await.unwrap();
}

#[tokio::test]
async fn truncates_each_connection_where_told() {
    let (upstream, executed) = service().await;
    let proxy = FaultyProxy::start(upstream).await.unwrap();
    for (number, after_bytes) in [0, 4].into_iter().enumerate() {
        // The count starts with the mode, not with the connection.
        proxy.set(Mode::Pass).await.unwrap();
        let mut stream = connected(&proxy).await;
        exchange(&mut stream).await.unwrap();

        proxy.set(Mode::Truncate { after_bytes }).await.unwrap();
        stream.write_all(REQUEST).await.unwrap();
        let mut delivered = Vec::new();
        timeout(DEADLINE, stream.read_to_end(&mut delivered))
            .await
            .expect("the end of the connection in time")
            .unwrap();
        assert_eq!(delivered, &ANSWER[..after_bytes]);
        assert_eq!(executed.load(Ordering::Acquire), 2 * (number as u64 + 1));
    }
}

#[tokio::test]
async fn refuses_new_connections_and_takes_them_again_on_the_same_port() {
    let (upstream, _) = service().await;
    let proxy = FaultyProxy::start(upstream).await.unwrap();
    let mut before = connected(&proxy).await;
    exchange(&mut before).await.unwrap();
    for _ in 0..3 {
        proxy.set(Mode::Refuse).await.unwrap();
        let error = TcpStream::connect(proxy.address()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(exchange(&mut before).await.unwrap(), ANSWER);
        proxy.set(Mode::Pass).await.unwrap();
        exchange(&mut connected(&proxy).await).await.unwrap();
    }
}

#[tokio::test]
async fn an_upstream_that_is_not_there_resets_the_client() {
    // Bound, so that nobody else takes the port, and not listening.
    let reserved = TcpSocket::new_v4().unwrap();
    reserved
        .bind(SocketAddr::from(([127, 0, 0, 1], 0)))
        .unwrap();
    let upstream = reserved.local_addr().unwrap();
    let proxy = FaultyProxy::start(upstream).await.unwrap();
    let mut stream = connected(&proxy).await;
    let error = stream.read(&mut [0; 1]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_broker_client_survives_a_cut_connection() {
    let server = Server::start().await.unwrap();
    let proxy = FaultyProxy::start(server.client_address()).await.unwrap();
    let client = async_nats::connect(proxy.address().to_string())
        .await
        .unwrap();
    let inbox = client.new_inbox();
    proxy.cut().await.unwrap();
    wait_for("the client to be connected again", DEADLINE, async || {
        (proxy.accepted() >= 2).then_some(())
    })
    .await
    .unwrap();
    client.publish(inbox, "x".into()).await.unwrap();
    timeout(DEADLINE, client.flush()).await.unwrap().unwrap();
}
