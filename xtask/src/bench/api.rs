//! Requests per second over one kept connection, with fifty containers.

use super::peers::Peer;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// Measures `GET /_ping` and `GET /containers/json`.
pub(crate) fn run(peers: &[Peer]) {
    println!("\n## requests per second, one connection, 50 containers");
    for peer in peers {
        let Some(socket) = &peer.socket else { continue };
        let ids: Vec<String> =
            (0..50).map(|_| peer.ok(&["run", "-d", "busybox", "sleep", "10000"])).collect();
        let ping = rate(socket, "/_ping");
        let list = rate(socket, "/v1.43/containers/json");
        println!("{:<8} _ping {ping:>9.0}   containers/json {list:>7.0}", peer.name);
        for id in &ids {
            peer.remove(id);
        }
    }
}

fn rate(socket: &str, path: &str) -> f64 {
    let stream = UnixStream::connect(socket).expect("the engine listens");
    let mut reader = BufReader::new(stream.try_clone().expect("a descriptor"));
    let mut writer = stream;
    let begun = Instant::now();
    let mut count = 0_u32;
    while begun.elapsed() < Duration::from_secs(2) {
        write!(writer, "GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n").expect("the engine reads");
        read_response(&mut reader);
        count += 1;
    }
    f64::from(count) / begun.elapsed().as_secs_f64()
}

fn read_response(reader: &mut BufReader<UnixStream>) {
    let (mut length, mut chunked) = (0, false);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a header");
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        chunked |= line.starts_with("transfer-encoding: chunked");
    }
    let skip = |count: usize, reader: &mut BufReader<UnixStream>| {
        let mut body = vec![0; count];
        reader.read_exact(&mut body).expect("a body");
    };
    if !chunked {
        return skip(length, reader);
    }
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a chunk");
        let size = usize::from_str_radix(line.trim(), 16).expect("a chunk size");
        skip(size + 2, reader);
        if size == 0 {
            return;
        }
    }
}
