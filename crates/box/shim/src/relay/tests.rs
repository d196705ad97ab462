//! The relay over the loopback.

use super::*;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};

/// How long a test waits for what should come at once.
const PATIENCE: Duration = Duration::from_secs(30);

fn port(protocol: Transport, to: SocketAddr) -> (PublishedPort, OwnedFd, SocketAddr) {
    let any = "[::1]:0".parse().expect("an address");
    let transport = match protocol {
        Transport::Udp => sys::inet::Transport::Udp,
        Transport::Tcp | Transport::Sctp => sys::inet::Transport::Tcp,
    };
    let socket = sys::inet::reserve(transport, any).expect("reserved");
    let host = sys::inet::local_address(&socket).expect("bound");
    (PublishedPort { at: HostPort { protocol, host }, to, socket: true }, socket, host)
}

#[test]
fn connection_of_the_other_family_is_relayed_both_ways_and_ends_half_by_half() {
    let server = TcpListener::bind("127.0.0.1:0").expect("binds");
    let relay = Relay::start().expect("starts");
    let (published, socket, host) = port(Transport::Tcp, server.local_addr().expect("bound"));
    relay.open(published, socket);
    // Larger than what all buffers on the way hold together.
    let sent: Vec<u8> = (0..8_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let expected = sent.clone();
    let served = std::thread::spawn(move || {
        let (mut connection, _) = server.accept().expect("accepts");
        connection.set_read_timeout(Some(PATIENCE)).expect("set");
        let mut received = Vec::new();
        connection.read_to_end(&mut received).expect("the end comes through");
        connection.write_all(b"got it").expect("the way back is still open");
        received
    });
    let mut client = TcpStream::connect(host).expect("connects");
    client.set_read_timeout(Some(PATIENCE)).expect("set");
    client.write_all(&sent).expect("writes");
    client.shutdown(Shutdown::Write).expect("half closes");
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("reads");
    assert_eq!(answer, "got it");
    assert!(served.join().expect("no panic") == expected, "all bytes arrive in order");
}

#[test]
fn datagrams_find_their_way_back_to_each_sender() {
    let server = UdpSocket::bind("127.0.0.1:0").expect("binds");
    let relay = Relay::start().expect("starts");
    let (published, socket, host) = port(Transport::Udp, server.local_addr().expect("bound"));
    relay.open(published, socket);
    let echo = std::thread::spawn(move || {
        let mut buffer = [0; 16];
        for _ in 0..4 {
            let (length, from) = server.recv_from(&mut buffer).expect("receives");
            server.send_to(&buffer[..length], from).expect("sends");
        }
    });
    let clients = [0, 1].map(|_| UdpSocket::bind("[::1]:0").expect("binds"));
    for round in 0..2 {
        for (number, client) in clients.iter().enumerate() {
            client.set_read_timeout(Some(PATIENCE)).expect("set");
            client.send_to(format!("{round} {number}").as_bytes(), host).expect("sends");
            let mut buffer = [0; 16];
            let (length, from) = client.recv_from(&mut buffer).expect("receives");
            assert_eq!((&buffer[..length], from), (format!("{round} {number}").as_bytes(), host));
        }
    }
    echo.join().expect("no panic");
}

#[test]
fn port_is_free_when_the_relay_is_dropped_and_open_connections_end() {
    let server = TcpListener::bind("127.0.0.1:0").expect("binds");
    let relay = Relay::start().expect("starts");
    let (published, socket, host) = port(Transport::Tcp, server.local_addr().expect("bound"));
    relay.open(published, socket);
    let mut client = TcpStream::connect(host).expect("connects");
    client.set_read_timeout(Some(PATIENCE)).expect("set");
    let (_connection, _) = server.accept().expect("it is relayed");
    assert!(TcpListener::bind(host).is_err(), "reserved");
    drop(relay);
    assert!(TcpListener::bind(host).is_ok(), "free");
    let mut buffer = [0; 1];
    assert!(matches!(client.read(&mut buffer), Ok(0) | Err(_)), "the connection ended");
}

#[test]
fn container_that_refuses_ends_the_connection() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("binds").local_addr().expect("bound");
    let relay = Relay::start().expect("starts");
    let (published, socket, host) = port(Transport::Tcp, nobody);
    relay.open(published, socket);
    let mut client = TcpStream::connect(host).expect("the host's side accepts");
    client.set_read_timeout(Some(PATIENCE)).expect("set");
    let mut buffer = [0; 1];
    match client.read(&mut buffer) {
        Ok(0) => {}
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        Ok(_) => panic!("nobody sent anything"),
    }
}

#[test]
fn closed_port_is_free_and_its_connections_go_on() {
    let server = TcpListener::bind("127.0.0.1:0").expect("binds");
    let relay = Relay::start().expect("starts");
    let (published, socket, host) = port(Transport::Tcp, server.local_addr().expect("bound"));
    relay.open(published, socket);
    let mut client = TcpStream::connect(host).expect("connects");
    let (mut connection, _) = server.accept().expect("it is relayed");
    relay.close(published.at);
    let deadline = Instant::now() + PATIENCE;
    while TcpListener::bind(host).is_err() {
        assert!(Instant::now() < deadline, "the port never becomes free");
        std::thread::yield_now();
    }
    client.write_all(b"x").expect("writes");
    let mut buffer = [0; 1];
    connection.read_exact(&mut buffer).expect("the connection is unharmed");
    assert_eq!(&buffer, b"x");
}
