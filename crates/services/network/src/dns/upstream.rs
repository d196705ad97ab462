//! Asking others: all resolvers of a list, each a moment after the one before; the first good answer counts.

use super::answer::Carrier;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How long one resolver has before the next one is asked as well.
const HEAD_START: Duration = Duration::from_millis(200);

/// How long all of them have: less than the five seconds after which programs ask again.
const PATIENCE: Duration = Duration::from_secs(4);

/// The largest answer by UDP.
const MAX_UDP_BYTES: usize = 4096;

/// Asks the resolvers, and returns the first answer that is none of failure, else the first one at all; none if none of
/// them gave an answer in time.
pub(super) async fn ask(query: &[u8], servers: &[SocketAddr], carrier: Carrier) -> Option<Vec<u8>> {
    let deadline = Instant::now() + PATIENCE;
    let mut waiting = servers.iter();
    let mut asked = JoinSet::new();
    let mut poor = None;
    loop {
        if asked.is_empty() {
            match waiting.next() {
                Some(server) => drop(asked.spawn(ask_one(query.to_vec(), *server, carrier))),
                None => return poor,
            }
        }
        let next = async {
            if waiting.len() == 0 {
                std::future::pending().await
            } else {
                tokio::time::sleep(HEAD_START).await
            }
        };
        tokio::select! {
            answer = asked.join_next() => match answer {
                Some(Ok(Ok(answer))) if is_good(&answer) => return Some(answer),
                Some(Ok(Ok(answer))) => drop(poor.get_or_insert(answer)),
                Some(Ok(Err(_)) | Err(_)) | None => {} // The next one is asked at once.
            },
            () = tokio::time::sleep_until(deadline) => return poor,
            () = next => {
                if let Some(server) = waiting.next() {
                    asked.spawn(ask_one(query.to_vec(), *server, carrier));
                }
            }
        }
    }
}

/// Returns whether an answer says what is, rather than that the resolver cannot say.
fn is_good(answer: &[u8]) -> bool {
    const NO_ERROR: u8 = 0;
    const NO_SUCH_NAME: u8 = 3;
    answer.get(3).is_some_and(|flags| matches!(flags & 15, NO_ERROR | NO_SUCH_NAME))
}

/// Asks one resolver, under a number of our own and from a port of our own: nobody can guess both.
async fn ask_one(query: Vec<u8>, server: SocketAddr, carrier: Carrier) -> io::Result<Vec<u8>> {
    let own: [u8; 2] = crate::service::random();
    let mut bytes = query.clone();
    let Some(id) = bytes.get_mut(..2) else { return Err(io::ErrorKind::InvalidInput.into()) };
    id.copy_from_slice(&own);
    let mut answer = match carrier {
        Carrier::Udp => by_udp(&bytes, server).await?,
        Carrier::Tcp => by_tcp(&bytes, server).await?,
    };
    answer[..2].copy_from_slice(&query[..2]);
    Ok(answer)
}

async fn by_udp(query: &[u8], server: SocketAddr) -> io::Result<Vec<u8>> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(query).await?;
    let mut buffer = vec![0; MAX_UDP_BYTES];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if answers(query, &buffer[..length]) {
            buffer.truncate(length);
            return Ok(buffer);
        }
    }
}

async fn by_tcp(query: &[u8], server: SocketAddr) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(query.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut message = length.to_be_bytes().to_vec();
    message.extend_from_slice(query);
    stream.write_all(&message).await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await?;
    if answers(query, &answer) { Ok(answer) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// Returns whether this is an answer to the query: its number, and its question byte by byte but for the case of letters.
fn answers(query: &[u8], answer: &[u8]) -> bool {
    const HEADER: usize = 12;
    let is_response = answer.get(2).is_some_and(|flags| flags & 0x80 != 0);
    let question = question_length(query).and_then(|length| query.get(HEADER..HEADER + length));
    let repeated = question.and_then(|question| answer.get(HEADER..HEADER + question.len()));
    let same = match (question, repeated) {
        (Some(question), Some(repeated)) => question.eq_ignore_ascii_case(repeated),
        // Failures may come without the question.
        _ => answer.len() == HEADER,
    };
    is_response && answer.get(..2) == query.get(..2) && same
}

/// Returns how long the question behind the header is: labels, type and class.
fn question_length(query: &[u8]) -> Option<usize> {
    let mut at = 12;
    loop {
        match query.get(at)? {
            0 => return Some(at + 1 + 4 - 12),
            length if length & 0xc0 == 0 => at += usize::from(*length) + 1,
            _ => return None, // A question refers to nothing before it.
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `id`, a question for `ab` of type A.
    fn message(id: u8, flags: [u8; 2], name: &[u8; 2]) -> Vec<u8> {
        let mut bytes = vec![0, id, flags[0], flags[1], 0, 1, 0, 0, 0, 0, 0, 0, 2];
        bytes.extend(name);
        bytes.extend([0, 0, 1, 0, 1]);
        bytes
    }

    #[test]
    fn answer_belongs_to_its_query() {
        let query = message(7, [1, 0], b"ab");
        assert!(answers(&query, &message(7, [0x81, 0x80], b"aB")));
        assert!(!answers(&query, &message(8, [0x81, 0x80], b"ab")), "another number");
        assert!(!answers(&query, &message(7, [0x81, 0x80], b"ac")), "another question");
        assert!(!answers(&query, &query), "no answer");
        assert!(!answers(&query, &[]));
    }

    /// Starts a resolver that answers with a response code after a while, and returns its address.
    async fn resolver(code: u8, after: Duration) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("binds");
        let address = socket.local_addr().expect("bound");
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                tokio::time::sleep(after).await;
                buffer[2] |= 0x80;
                buffer[3] = code;
                let _ = socket.send_to(&buffer[..length], from).await; // The asker may have an answer already.
            }
        });
        address
    }

    #[tokio::test]
    async fn first_good_answer_counts_with_the_clients_number() {
        let deaf = UdpSocket::bind("127.0.0.1:0").await.expect("binds");
        let silent = deaf.local_addr().expect("bound");
        let failing = resolver(2, Duration::ZERO).await;
        let slow = resolver(0, Duration::from_secs(600)).await;
        let good = resolver(3, Duration::ZERO).await;
        let query = message(9, [1, 0], b"ab");
        let answer = ask(&query, &[silent, failing, slow, good], Carrier::Udp).await.expect("an answer");
        assert_eq!((answer[1], answer[3]), (9, 3));
        let answer = ask(&query, &[failing, silent], Carrier::Udp).await.expect("better than none");
        assert_eq!((answer[1], answer[3]), (9, 2));
        assert_eq!(ask(&query, &[], Carrier::Udp).await, None);
    }
}
