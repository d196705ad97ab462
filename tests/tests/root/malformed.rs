//! Requests that no client would send: each is refused, none harms the engine.

use testkit::TestEnv;

/// A small generator of numbers; the same ones each time, so that a failure can be repeated.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % below as u64).expect("it is below a usize")
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.next(of.len())]
    }
}

const METHODS: [&str; 6] = ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH"];

/// `{}` is a name.
const PATHS: [&str; 44] = [
    "/info",
    "/version",
    "/_ping",
    "/auth",
    "/system/df",
    "/commit",
    "/build",
    "/session",
    "/containers/json",
    "/containers/create",
    "/containers/prune",
    "/containers/{}/json",
    "/containers/{}/top",
    "/containers/{}/resize",
    "/containers/{}/update",
    "/containers/{}/rename",
    "/containers/{}/kill",
    "/containers/{}/exec",
    "/containers/{}/archive",
    "/containers/{}/changes",
    "/containers/{}/export",
    "/containers/{}/attach/ws",
    "/containers/{}/birth",
    "/containers/{}",
    "/exec/{}/start",
    "/exec/{}/json",
    "/exec/{}/resize",
    "/images/json",
    "/images/prune",
    "/images/search",
    "/images/{}/json",
    "/images/{}/history",
    "/images/{}/tag",
    "/images/{}",
    "/networks",
    "/networks/create",
    "/networks/{}",
    "/networks/{}/connect",
    "/volumes",
    "/volumes/create",
    "/volumes/{}",
    "/plugins/{}/json",
    "/distribution/{}/json",
    "/{}",
];

const NAMES: [&str; 14] = [
    "nosuch",
    "..",
    "%2e%2e",
    "%2e%2e%2f%2e%2e%2fetc",
    "a/b/c",
    "%00",
    "%ff%fe",
    "%",
    "%zz",
    "one",
    "sha256:x",
    "%E2%82%AC",
    "-",
    "a%0d%0aX:%20y",
];

const QUERIES: [&str; 20] = [
    "",
    "?filters=x",
    "?filters={}",
    "?filters=[]",
    "?filters={%22x%22:{%22y%22:true}}",
    "?filters={%22label%22:5}",
    "?filters={%22status%22:[%22x%22]}",
    "?limit=x",
    "?limit=-1",
    "?h=-1&w=99999999999",
    "?h=&w=",
    "?signal=NOSUCH",
    "?name=%00",
    "?name=-",
    "?path=../../etc",
    "?tail=x&stdout=1",
    "?since=x",
    "?t=x",
    "?a&b&&=&=x",
    "?repo=BAD&tag=%20",
];

const BODIES: [&str; 20] = [
    "",
    "null",
    "{}",
    "[]",
    "{",
    "5",
    "\"x\"",
    "{\"Image\":5}",
    "{\"Image\":\"\"}",
    "{\"Image\":\"busybox\",\"HostConfig\":5}",
    "{\"Image\":\"busybox\",\"HostConfig\":{\"Memory\":-5}}",
    "{\"Image\":\"busybox\",\"Healthcheck\":{\"Test\":5}}",
    "{\"Image\":\"busybox\",\"HostConfig\":{\"Memory\":1e400}}",
    "{\"Memory\":9223372036854775807}",
    "{\"Cmd\":[null]}",
    "{\"Name\":\"\\u0000\"}",
    "{\"RestartPolicy\":{\"Name\":\"x\"}}",
    "{} {}",
    "\u{1}\u{2}",
    "{\"Labels\":{\"a\":5},\"Env\":[\"=\"],\"ExposedPorts\":{\"x/y/z\":{}}}",
];

#[test]
fn malformed_requests_are_refused_and_harmless() {
    let env = TestEnv::with_busybox();
    let _ = env.naru(&["create", "--name", "one", "busybox"]).ok();
    let long = "x".repeat(5000);
    let deep = format!("{{\"Image\":{}5{}}}", "[".repeat(2000), "]".repeat(2000));
    let mut numbers = Numbers(0x2026_1128);
    for round in 0..2500 {
        let name = if numbers.next(20) == 0 { &long } else { numbers.one(&NAMES) };
        let path = numbers.one(&PATHS).replace("{}", name);
        let version = numbers.one(&["", "/v1.51", "/v1.24", "/v1.40", "/v9.9", "/v1", "/v1.51.1"]);
        let (method, query) = (numbers.one(&METHODS), numbers.one(&QUERIES));
        // The one container shall be there to the end.
        if method == "DELETE" && name == "one"
            || path.ends_with("prune")
            || path.ends_with("rename") && name == "one"
        {
            continue;
        }
        let body = if numbers.next(40) == 0 { deep.as_str() } else { numbers.one(&BODIES) };
        let target = format!("{version}{path}{query}");
        let status = env.request(method, &target, Some(body)).status;
        let is_fine = status < 500 || [501, 503].contains(&status);
        assert!(is_fine, "round {round}: {method} {target} {body}: {status}");
    }
    assert_eq!(env.inspect("one", "{{.State.Status}}"), "created");
    assert!(!env.engine_log().contains("panicked"), "{}", env.engine_log());
}
