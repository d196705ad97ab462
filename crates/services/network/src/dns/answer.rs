//! What a query is answered with. Pure.

use hickory_proto::op::{Edns, Message, MessageType, Metadata, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, PTR};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use std::net::IpAddr;

/// How long an answer may be kept, in seconds: Docker's value.
const TTL_S: u32 = 600;

/// The largest answer by UDP to a client that does not say how much it takes.
const PLAIN_UDP_BYTES: u16 = 512;

/// The largest answer by UDP in any case.
const MAX_UDP_BYTES: u16 = 4096;

/// The names of one network, as a container on it sees them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Zone {
    /// The network's name: `web.NETWORK` is the same as `web`.
    pub(super) network: String,
    /// Who is on it.
    pub(super) entries: Vec<Entry>,
}

/// A container on a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its names, the first of which is told for its addresses: name, aliases, short id.
    pub(super) names: Vec<String>,
    /// Its addresses.
    pub(super) addresses: Vec<IpAddr>,
}

/// What is to be done with a query.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is answered with these bytes.
    Reply(Vec<u8>),
    /// Others are asked.
    Forward,
    /// It is not worth an answer.
    Ignore,
}

/// How an answer travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    /// By datagram.
    Udp,
    /// By stream.
    Tcp,
}

/// Decides about a query. `turn` says which of several addresses comes first.
pub(super) fn decide(bytes: &[u8], carrier: Carrier, zones: &[Zone], turn: usize) -> Verdict {
    let Ok(query) = Message::from_vec(bytes) else { return malformed(bytes) };
    if query.metadata.message_type != MessageType::Query {
        return Verdict::Ignore; // An answer to an answer could go on for ever.
    }
    if query.metadata.op_code != OpCode::Query {
        return reply(&query, carrier, Vec::new(), ResponseCode::NotImp);
    }
    let [question] = &query.queries[..] else {
        return reply(&query, carrier, Vec::new(), ResponseCode::FormErr);
    };
    if question.query_class() != DNSClass::IN {
        return Verdict::Forward;
    }
    match records(question, zones, turn) {
        Some(records) => reply(&query, carrier, records, ResponseCode::NoError),
        None => Verdict::Forward,
    }
}

/// Returns an answer without records, for a query that cannot be answered.
pub(super) fn failure(bytes: &[u8], code: ResponseCode) -> Option<Vec<u8>> {
    let query = Message::from_vec(bytes).ok()?;
    match reply(&query, Carrier::Tcp, Vec::new(), code) {
        Verdict::Reply(bytes) => Some(bytes),
        Verdict::Forward | Verdict::Ignore => None,
    }
}

/// Answers what is not understood, if it has a header of a query: the sender need not wait in vain.
fn malformed(bytes: &[u8]) -> Verdict {
    const IS_RESPONSE: u8 = 0x80;
    match bytes {
        [high, low, flags, _, ..] if bytes.len() >= 12 && flags & IS_RESPONSE == 0 => {
            let message =
                Message::error_msg(u16::from_be_bytes([*high, *low]), OpCode::Query, ResponseCode::FormErr);
            message.to_vec().map_or(Verdict::Ignore, Verdict::Reply)
        }
        _ => Verdict::Ignore,
    }
}

fn reply(query: &Message, carrier: Carrier, records: Vec<Record>, code: ResponseCode) -> Verdict {
    let mut message = Message::new(query.metadata.id, MessageType::Response, query.metadata.op_code);
    message.metadata = Metadata::response_from_request(&query.metadata);
    message.metadata.recursion_available = true;
    message.metadata.response_code = code;
    message.add_queries(query.queries.iter().cloned());
    message.add_answers(records);
    let mut limit = PLAIN_UDP_BYTES;
    if let Some(asked) = &query.edns {
        limit = asked.max_payload().clamp(PLAIN_UDP_BYTES, MAX_UDP_BYTES);
        let mut edns = Edns::new();
        edns.set_max_payload(MAX_UDP_BYTES);
        message.set_edns(edns);
    }
    let Ok(bytes) = message.to_vec() else { return Verdict::Ignore };
    if carrier == Carrier::Tcp || bytes.len() <= usize::from(limit) {
        return Verdict::Reply(bytes);
    }
    // The client asks again by TCP.
    message.answers = Vec::new();
    message.metadata.truncation = true;
    message.to_vec().map_or(Verdict::Ignore, Verdict::Reply)
}

/// Returns the records of a name or an address of ours; none if it is not ours. A name of ours without records of the
/// type has an empty list: nobody outside is asked about it.
fn records(question: &Query, zones: &[Zone], turn: usize) -> Option<Vec<Record>> {
    let name = question.name();
    let text = name.to_ascii().trim_end_matches('.').to_ascii_lowercase();
    if question.query_type() == RecordType::PTR {
        let address = name.parse_arpa_name().ok()?.addr();
        return Some(vec![pointer(name, address, zones)?]);
    }
    let mut addresses = addresses(&text, zones)?;
    addresses.retain(|address| match question.query_type() {
        RecordType::A => address.is_ipv4(),
        RecordType::AAAA => address.is_ipv6(),
        _ => false,
    });
    if !addresses.is_empty() {
        let first = turn % addresses.len();
        addresses.rotate_left(first);
    }
    let record = |address: IpAddr| {
        let data = match address {
            IpAddr::V4(address) => RData::A(A(address)),
            IpAddr::V6(address) => RData::AAAA(AAAA(address)),
        };
        Record::from_rdata(name.clone(), TTL_S, data)
    };
    Some(addresses.into_iter().map(record).collect())
}

/// Returns the addresses of a name; none if it is no name of ours. The first network that knows it answers.
fn addresses(name: &str, zones: &[Zone]) -> Option<Vec<IpAddr>> {
    zones.iter().find_map(|zone| {
        let short =
            name.strip_suffix(&zone.network.to_ascii_lowercase()).and_then(|rest| rest.strip_suffix('.'));
        let is_meant = |known: &String| {
            known.eq_ignore_ascii_case(name) || short.is_some_and(|short| known.eq_ignore_ascii_case(short))
        };
        let meant: Vec<_> = zone.entries.iter().filter(|entry| entry.names.iter().any(is_meant)).collect();
        let all = || meant.iter().flat_map(|entry| entry.addresses.iter().copied()).collect();
        (!meant.is_empty()).then(all)
    })
}

/// Returns the name of an address.
fn pointer(question: &Name, address: IpAddr, zones: &[Zone]) -> Option<Record> {
    let found = zones.iter().find_map(|zone| {
        let entry = zone.entries.iter().find(|entry| entry.addresses.contains(&address))?;
        Some(format!("{}.{}.", entry.names.first()?, zone.network))
    })?;
    let name = Name::from_ascii(&found).ok()?;
    Some(Record::from_rdata(question.clone(), TTL_S, RData::PTR(PTR(name))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zones() -> Vec<Zone> {
        let entry = |names: &[&str], addresses: &[&str]| Entry {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            addresses: addresses.iter().map(|address| address.parse().expect("valid")).collect(),
        };
        let first = vec![
            entry(&["db", "database", "0123456789ab"], &["10.0.0.2", "fd00::2"]),
            entry(&["web-1", "web"], &["10.0.0.3"]),
            entry(&["web-2", "web"], &["10.0.0.4"]),
        ];
        let second = vec![entry(&["db"], &["10.1.0.2"]), entry(&["cache"], &["10.1.0.3"])];
        vec![
            Zone { network: "Front".into(), entries: first },
            Zone { network: "back".into(), entries: second },
        ]
    }

    fn query(name: &str, kind: RecordType) -> Message {
        let mut message = Message::new(77, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = true;
        message.add_query(Query::query(Name::from_ascii(name).expect("a name"), kind));
        message
    }

    fn ask_with(message: &Message, carrier: Carrier, turn: usize, zones: &[Zone]) -> Option<Message> {
        match decide(&message.to_vec().expect("encodes"), carrier, zones, turn) {
            Verdict::Reply(bytes) => Some(Message::from_vec(&bytes).expect("decodes")),
            Verdict::Forward => None,
            Verdict::Ignore => panic!("ignored"),
        }
    }

    /// Returns the data of the answer, or none if others are asked.
    fn ask(name: &str, kind: RecordType, turn: usize) -> Option<Vec<String>> {
        let answer = ask_with(&query(name, kind), Carrier::Udp, turn, &zones())?;
        assert_eq!((answer.metadata.id, answer.metadata.response_code), (77, ResponseCode::NoError));
        assert!(answer.metadata.recursion_available);
        Some(answer.answers.iter().map(|record| record.data.to_string()).collect())
    }

    #[test]
    fn names_aliases_and_ids_are_answered_whatever_their_case() {
        let cases: [(&str, RecordType, Option<&[&str]>); 14] = [
            ("db.", RecordType::A, Some(&["10.0.0.2"])),
            ("DataBase.", RecordType::A, Some(&["10.0.0.2"])),
            ("0123456789ab.", RecordType::AAAA, Some(&["fd00::2"])),
            ("web-1.", RecordType::A, Some(&["10.0.0.3"])),
            ("web-1.", RecordType::AAAA, Some(&[])),
            ("db.", RecordType::MX, Some(&[])),
            ("db.front.", RecordType::A, Some(&["10.0.0.2"])),
            ("db.back.", RecordType::A, Some(&["10.1.0.2"])),
            ("cache.", RecordType::A, Some(&["10.1.0.3"])),
            ("nosuch.", RecordType::A, None),
            ("cache.front.", RecordType::A, None),
            ("db.example.com.", RecordType::A, None),
            ("3.0.0.10.in-addr.arpa.", RecordType::PTR, Some(&["web-1.Front."])),
            ("9.0.0.10.in-addr.arpa.", RecordType::PTR, None),
        ];
        for (name, kind, expected) in cases {
            let expected = expected.map(|list| list.iter().map(|data| (*data).to_owned()).collect());
            assert_eq!(ask(name, kind, 0), expected, "{name} {kind}");
        }
    }

    #[test]
    fn several_addresses_take_turns() {
        let first = |turn| ask("web.", RecordType::A, turn).expect("ours")[0].clone();
        assert_eq!([first(0), first(1), first(2)], ["10.0.0.3", "10.0.0.4", "10.0.0.3"]);
        assert_eq!(ask("web.", RecordType::A, 1).map(|all| all.len()), Some(2));
    }

    #[test]
    fn large_answer_is_cut_off_by_udp_and_whole_by_tcp() {
        let entries =
            (0..200_u8).map(|n| Entry { names: vec!["many".into()], addresses: vec![[10, 0, 1, n].into()] });
        let zones = [Zone { network: "n".into(), entries: entries.collect() }];
        let mut message = query("many.", RecordType::A);
        let cut = ask_with(&message, Carrier::Udp, 0, &zones).expect("ours");
        assert!(cut.metadata.truncation && cut.answers.is_empty());
        let whole = ask_with(&message, Carrier::Tcp, 0, &zones).expect("ours");
        assert_eq!((whole.metadata.truncation, whole.answers.len()), (false, 200));
        let mut edns = Edns::new();
        edns.set_max_payload(65_000);
        message.set_edns(edns);
        let larger = ask_with(&message, Carrier::Udp, 0, &zones).expect("ours");
        assert_eq!((larger.metadata.truncation, larger.answers.len()), (false, 200));
        assert_eq!(larger.edns.expect("answered with EDNS").max_payload(), MAX_UDP_BYTES);
    }

    #[test]
    fn what_is_no_query_is_refused_or_ignored() {
        let code = |message: &Message| match decide(
            &message.to_vec().expect("encodes"),
            Carrier::Udp,
            &zones(),
            0,
        ) {
            Verdict::Reply(bytes) => Some(Message::from_vec(&bytes).expect("decodes").metadata.response_code),
            Verdict::Forward | Verdict::Ignore => None,
        };
        assert_eq!(code(&query("db.", RecordType::A).into_response()), None);
        assert_eq!(code(&Message::new(1, MessageType::Query, OpCode::Update)), Some(ResponseCode::NotImp));
        assert_eq!(code(&Message::new(1, MessageType::Query, OpCode::Query)), Some(ResponseCode::FormErr));
        assert_eq!(decide(b"", Carrier::Udp, &zones(), 0), Verdict::Ignore);
        assert_eq!(decide(&[0xff; 40], Carrier::Udp, &zones(), 0), Verdict::Ignore);
        let Verdict::Reply(bytes) =
            decide(&[7, 8, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xff], Carrier::Udp, &zones(), 0)
        else {
            panic!("a header of a query")
        };
        assert_eq!((&bytes[..2], bytes[3] & 15), (&[7, 8][..], 1), "its id, and FormErr");
    }

    #[test]
    fn random_bytes_never_do_harm() {
        let mut seed = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        let good = query("db.front.", RecordType::A).to_vec().expect("encodes");
        for _ in 0..20_000 {
            let mut bytes = good.clone();
            for _ in 0..next() % 4 + 1 {
                let at = next() as usize % bytes.len();
                bytes[at] = next() as u8;
            }
            bytes.truncate(next() as usize % (bytes.len() + 1));
            decide(&bytes, Carrier::Udp, &zones(), 0);
            failure(&bytes, ResponseCode::ServFail);
        }
    }
}
