//! Pulls from a server that does what real ones do on bad days.

use crate::support::{
    Fixture, Home, INDEX_TYPE, Reply, Seen, Server, descriptor, digest, failure, pull, ranged, request,
};
use error::Kind;
use refs::{Reference, Secret};
use registry::{Credentials, LayerProgress, Outcome, Progress};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const MEGABYTE: usize = 1 << 20;

fn is_layer(fixture: &Fixture, request: &Seen) -> bool {
    fixture.layers.iter().any(|layer| request.path.ends_with(digest(layer).as_str()))
}

async fn faultless(fixture: &Fixture) -> Server {
    let fixture = fixture.clone();
    Server::start(move |request| fixture.answer(request)).await
}

#[tokio::test]
async fn pull_registers_the_image_and_tells_every_step() {
    let (home, fixture) = (Home::new(), Fixture::new(2, 3 * MEGABYTE));
    let server = faultless(&fixture).await;
    let registry = home.registry(&[]);
    let (pulled, progress) = pull(&registry, &request(server.address, "a/b:t")).await;
    let pulled = pulled.unwrap();
    assert_eq!((pulled.image_id.clone(), pulled.outcome), (fixture.id(), Outcome::Newer));
    assert_eq!(progress[0], Progress::Pulling { path: "a/b".into(), tag: "t".into() });
    for layer in &fixture.layers {
        let of_layer: Vec<LayerProgress> = progress
            .iter()
            .filter_map(|one| match one {
                Progress::Layer { digest: of, state } if *of == digest(layer) => Some(*state),
                _ => None,
            })
            .filter(|state| {
                !matches!(state, LayerProgress::Downloading { .. } | LayerProgress::Extracting { .. })
            })
            .collect();
        use LayerProgress::{Begun, Complete, Downloaded, Verifying};
        assert_eq!(of_layer, [Begun, Verifying, Downloaded, Complete]);
    }
    let reference = Reference::parse(&format!("{}/a/b:t", server.address)).unwrap();
    let (digest_line, done) = (&progress[progress.len() - 2], &progress[progress.len() - 1]);
    assert_eq!(*digest_line, Progress::Digest(digest(&fixture.manifest)));
    assert_eq!(*done, Progress::Done { reference: reference.clone(), outcome: Outcome::Newer });

    let image = home.images.resolve(&reference.to_string()).unwrap();
    assert_eq!((image.id, image.tags), (fixture.id(), vec![reference.to_string()]));
    assert_eq!(image.digests, [format!("{}/a/b@{}", server.address, digest(&fixture.manifest))]);
    let file = home.images.layers().files(&digest(&fixture.layers[1])).join("file1");
    assert_eq!(std::fs::metadata(file).unwrap().len(), 3 * MEGABYTE as u64);
    assert_eq!(home.files(), (0, 4, 2));
}

#[tokio::test]
async fn pull_of_what_is_here_fetches_only_the_manifest() {
    let (home, fixture) = (Home::new(), Fixture::new(1, 1000));
    let server = faultless(&fixture).await;
    let registry = home.registry(&[]);
    pull(&registry, &request(server.address, "a:t")).await.0.unwrap();
    let before = server.count();
    let (pulled, progress) = pull(&registry, &request(server.address, "a:t")).await;
    assert_eq!(pulled.unwrap().outcome, Outcome::UpToDate);
    assert!(!progress.iter().any(|one| matches!(one, Progress::Layer { .. })));
    let other_tag = pull(&registry, &request(server.address, "a:u")).await.0.unwrap();
    assert_eq!(other_tag.outcome, Outcome::Newer);
    assert_eq!(server.count(), before + 2);
}

#[tokio::test]
async fn connection_cut_again_and_again_is_resumed_where_it_broke() {
    let (home, fixture) = (Home::new(), Fixture::new(1, 5 * MEGABYTE));
    let served = fixture.clone();
    let server = Server::start(move |request| {
        let mut reply = served.answer(request);
        if is_layer(&served, request) && reply.body.len() > MEGABYTE {
            reply.cut_after = Some(MEGABYTE + 123);
        }
        reply
    })
    .await;
    pull(&home.registry(&[]), &request(server.address, "a:t")).await.0.unwrap();
    let blob = digest(&fixture.layers[0]);
    let ranges: Vec<Option<String>> =
        server.seen(blob.as_str()).iter().map(|request| request.header("range").map(str::to_owned)).collect();
    let step = MEGABYTE + 123;
    let expected: Vec<Option<String>> =
        (0..6).map(|cut| (cut > 0).then(|| format!("bytes={}-", cut * step))).collect();
    assert_eq!(ranges, expected);
    assert_eq!(home.files(), (0, 3, 1));
}

#[tokio::test]
async fn server_without_ranges_is_read_from_the_start() {
    let (home, fixture) = (Home::new(), Fixture::new(1, 2 * MEGABYTE));
    let (served, cuts) = (fixture.clone(), AtomicUsize::new(0));
    let server = Server::start(move |request| {
        let mut plain = request.clone();
        plain.headers.remove("range");
        let mut reply = served.answer(&plain);
        if is_layer(&served, request) && cuts.fetch_add(1, Ordering::SeqCst) < 2 {
            reply.cut_after = Some(MEGABYTE + 1);
        }
        reply
    })
    .await;
    pull(&home.registry(&[]), &request(server.address, "a:t")).await.0.unwrap();
    assert_eq!(home.files(), (0, 3, 1));
}

#[tokio::test]
async fn blob_of_wrong_digest_leaves_nothing() {
    let (home, fixture) = (Home::new(), Fixture::new(1, 2 * MEGABYTE));
    let served = fixture.clone();
    let server = Server::start(move |request| {
        let mut reply = served.answer(request);
        if is_layer(&served, request) {
            reply.body[MEGABYTE] ^= 1;
        }
        reply
    })
    .await;
    let (kind, message) = failure(&home.registry(&[]), &request(server.address, "a:t")).await;
    assert_eq!(kind, Kind::DataLoss);
    assert!(
        message.starts_with(&format!("blob {} has the digest sha256:", digest(&fixture.layers[0]))),
        "{message}"
    );
    assert_eq!(home.files(), (0, 0, 0));
    assert!(home.images.list().unwrap().is_empty());
}

#[tokio::test]
async fn partial_that_was_damaged_is_fetched_anew() {
    let (home, fixture) = (Home::new(), Fixture::new(1, 2 * MEGABYTE));
    let blob = digest(&fixture.layers[0]);
    std::fs::write(home.root.join(format!("content/ingest/sha256-{}", blob.hex())), vec![7; MEGABYTE])
        .unwrap();
    let server = faultless(&fixture).await;
    pull(&home.registry(&[]), &request(server.address, "a:t")).await.0.unwrap();
    let ranges: Vec<bool> =
        server.seen(blob.as_str()).iter().map(|request| request.header("range").is_some()).collect();
    assert_eq!(ranges, [true, false]);
    assert_eq!(home.files(), (0, 3, 1));
}

#[tokio::test]
async fn blob_truncated_for_good_keeps_its_bytes_for_the_next_pull() {
    let (home, fixture) = (Home::new(), Fixture::new(1, 2 * MEGABYTE));
    let served = fixture.clone();
    let server = Server::start(move |request| {
        let mut reply = served.answer(request);
        if is_layer(&served, request) {
            let end = (MEGABYTE + 50).saturating_sub(served.layers[0].len() - reply.body.len());
            reply.body.truncate(end);
        }
        reply
    })
    .await;
    let (kind, message) = failure(&home.registry(&[]), &request(server.address, "a:t")).await;
    assert_eq!(kind, Kind::Unavailable);
    let size = fixture.layers[0].len();
    assert_eq!(
        message,
        format!(
            "connection to registry {} broke: the answer ended after {} of {size} bytes",
            server.address,
            MEGABYTE + 50
        )
    );
    assert_eq!(home.files(), (1, 0, 0));

    let good = faultless(&fixture).await;
    pull(&home.registry(&[]), &request(good.address, "a:t")).await.0.unwrap();
    let blob = digest(&fixture.layers[0]);
    assert_eq!(
        good.seen(blob.as_str())[0].header("range"),
        Some(format!("bytes={}-", MEGABYTE + 50).as_str())
    );
    assert_eq!(home.files(), (0, 3, 1));
}

#[tokio::test]
async fn blob_longer_than_announced_is_refused() {
    let (home, fixture) = (Home::new(), Fixture::new(1, 1000));
    let served = fixture.clone();
    let server = Server::start(move |request| {
        let mut reply = served.answer(request);
        if is_layer(&served, request) {
            reply.body.extend_from_slice(&[0; 100]);
        }
        reply
    })
    .await;
    let (kind, message) = failure(&home.registry(&[]), &request(server.address, "a:t")).await;
    assert_eq!(kind, Kind::DataLoss);
    assert!(message.contains("announced were"), "{message}");
    assert_eq!(home.files(), (0, 0, 0));
}

#[tokio::test]
async fn pull_that_is_dropped_is_resumed_by_the_next() {
    let (home, fixture) = (Home::new(), Fixture::new(1, 4 * MEGABYTE));
    let served = fixture.clone();
    let hanging = Server::start(move |request| {
        let mut reply = served.answer(request);
        if is_layer(&served, request) {
            reply.hang_after = Some(2 * MEGABYTE + 10);
        }
        reply
    })
    .await;
    let registry = home.registry(&[]);
    let (sender, _receiver) = tokio::sync::mpsc::channel(100);
    let (client, wanted) = (registry.clone(), request(hanging.address, "a:t"));
    let task = tokio::spawn(async move { client.pull(&wanted, sender).await });
    let blob = digest(&fixture.layers[0]);
    let partial = home.root.join(format!("content/ingest/sha256-{}", blob.hex()));
    let size = || std::fs::metadata(&partial).map_or(0, |file| file.len());
    let begun = async {
        while size() < MEGABYTE as u64 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), begun).await.unwrap();
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    let arrived = size();

    let good = faultless(&fixture).await;
    pull(&registry, &request(good.address, "a:t")).await.0.unwrap();
    let range = good.seen(blob.as_str())[0].header("range").map(str::to_owned);
    assert_eq!(range, Some(format!("bytes={arrived}-")));
    assert_eq!(home.files(), (0, 3, 1));
}

#[tokio::test]
async fn two_pulls_at_once_fetch_each_blob_once() {
    let (home, fixture) = (Home::new(), Fixture::new(3, MEGABYTE));
    let server = faultless(&fixture).await;
    let registry = home.registry(&[]);
    let wanted = request(server.address, "a:t");
    let (one, other) = tokio::join!(pull(&registry, &wanted), pull(&registry, &wanted));
    assert_eq!(one.0.unwrap().image_id, other.0.unwrap().image_id);
    for layer in &fixture.layers {
        assert_eq!(server.seen(digest(layer).as_str()).len(), 1);
    }
}

#[tokio::test]
async fn refusals_have_dockers_words() {
    let cases: [(u16, &str, Kind, &str); 6] = [
        (
            404,
            r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#,
            Kind::NotFound,
            "manifest for HOST/a/b:t not found: manifest unknown: manifest unknown",
        ),
        (
            404,
            r#"{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry"}]}"#,
            Kind::NotFound,
            "repository HOST/a/b not found: name unknown: repository name not known to registry",
        ),
        (
            403,
            r#"{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}"#,
            Kind::NotFound,
            "pull access denied for HOST/a/b, repository does not exist or may require 'docker login': denied: \
             requested access to the resource is denied",
        ),
        (
            429,
            r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}"#,
            Kind::Unavailable,
            "registry HOST limits the rate of requests: toomanyrequests: You have reached your pull rate limit.",
        ),
        (503, "<html>", Kind::Unavailable, "registry HOST answered 503: service unavailable"),
        (401, "", Kind::Forbidden, "registry HOST refuses the credentials: unauthorized"),
    ];
    for (status, body, kind, message) in cases {
        let home = Home::new();
        let server = Server::start(move |_| Reply::new(status, body)).await;
        let message = message.replace("HOST", &server.address.to_string());
        assert_eq!(failure(&home.registry(&[]), &request(server.address, "a/b:t")).await, (kind, message));
    }
}

#[tokio::test]
async fn server_in_trouble_is_asked_again() {
    let (home, fixture) = (Home::new(), Fixture::new(1, 1000));
    let (served, requests) = (fixture.clone(), AtomicUsize::new(0));
    let server = Server::start(move |request| match requests.fetch_add(1, Ordering::SeqCst) {
        0 | 2 | 4 => Reply::new(503, ""),
        1 => Reply::new(429, "").header("Retry-After", "0"),
        _ => served.answer(request),
    })
    .await;
    pull(&home.registry(&[]), &request(server.address, "a:t")).await.0.unwrap();
}

#[tokio::test]
async fn registry_that_nobody_serves_is_named() {
    let home = Home::new();
    let address = Server::start(|_| Reply::new(200, "")).await.address;
    let (kind, message) = failure(&home.registry(&[]), &request(address, "a:t")).await;
    assert_eq!(
        (kind, message),
        (Kind::Unavailable, format!("cannot reach registry {address}: connection refused"))
    );
}

fn password(user: &str, password: &str) -> Option<Credentials> {
    Some(Credentials::Password { user: user.into(), password: Secret::new(password.into()) })
}

/// `u:secret`
const BASIC: &str = "Basic dTpzZWNyZXQ=";

#[tokio::test]
async fn basic_challenge_is_met_with_the_password() {
    let (home, fixture) = (Home::new(), Fixture::new(1, 1000));
    let served = fixture.clone();
    let server = Server::start(move |request| match request.header("authorization") {
        Some(BASIC) => served.answer(request),
        _ => Reply::new(401, "").header("WWW-Authenticate", "Basic realm=\"x\""),
    })
    .await;
    let mut wanted = request(server.address, "a:t");
    assert_eq!(failure(&home.registry(&[]), &wanted).await.0, Kind::Forbidden);
    wanted.credentials = password("u", "wrong");
    assert_eq!(failure(&home.registry(&[]), &wanted).await.0, Kind::Forbidden);
    wanted.credentials = password("u", "secret");
    pull(&home.registry(&[]), &wanted).await.0.unwrap();
}

/// A registry with a token server beside it. Tokens are for the scope that was asked for, with `user` appended.
async fn with_tokens(fixture: &Fixture, allow_anonymous: bool) -> (Arc<Server>, Arc<Server>) {
    let tokens = Server::start(move |request| {
        let is_ours =
            request.header("authorization") == Some(BASIC) || request.body.contains("refresh_token=identity");
        let is_anonymous =
            request.header("authorization").is_none() && request.body.is_empty() && allow_anonymous;
        if is_ours || is_anonymous {
            return Reply::new(200, r#"{"token":"good","expires_in":60}"#);
        }
        Reply::new(401, r#"{"details":"incorrect username or password"}"#)
    })
    .await;
    let (served, realm) = (fixture.clone(), format!("http://{}/token", tokens.address));
    let registry = Server::start(move |request| match request.header("authorization") {
        Some("Bearer good") => served.answer(request),
        _ => Reply::new(401, "").header(
            "WWW-Authenticate",
            format!("Bearer realm=\"{realm}\",service=\"s v\",scope=\"repository:a/b:pull\""),
        ),
    })
    .await;
    (Arc::new(registry), Arc::new(tokens))
}

#[tokio::test]
async fn bearer_challenge_is_met_without_credentials() {
    let (home, fixture) = (Home::new(), Fixture::new(1, 1000));
    let (server, tokens) = with_tokens(&fixture, true).await;
    pull(&home.registry(&[]), &request(server.address, "a/b:t")).await.0.unwrap();
    let asked = tokens.seen("/token");
    assert_eq!(asked.len(), 1, "the token is used for all requests of a pull");
    assert_eq!(
        (asked[0].method.as_str(), asked[0].query.as_str()),
        ("GET", "service=s+v&scope=repository%3Aa%2Fb%3Apull")
    );
}

#[tokio::test]
async fn bearer_challenge_is_met_with_password_or_identity() {
    let fixture = Fixture::new(1, 1000);
    let (server, tokens) = with_tokens(&fixture, false).await;
    let mut wanted = request(server.address, "a/b:t");
    wanted.credentials = password("u", "secret");
    pull(&Home::new().registry(&[]), &wanted).await.0.unwrap();
    assert!(tokens.seen("/token")[0].query.ends_with("&account=u"));
    assert_eq!(
        server.seen("/manifests/t")[0].header("authorization"),
        None,
        "the password goes to the token server only"
    );

    wanted.credentials = Some(Credentials::Identity(Secret::new("identity".into())));
    pull(&Home::new().registry(&[]), &wanted).await.0.unwrap();
    let asked = &tokens.seen("/token")[1];
    assert_eq!(asked.method, "POST");
    assert_eq!(
        asked.body,
        "grant_type=refresh_token&service=s+v&scope=repository%3Aa%2Fb%3Apull&client_id=naru&refresh_token=identity"
    );

    wanted.credentials = password("u", "wrong");
    let message = failure(&Home::new().registry(&[]), &wanted).await;
    let expected = format!(
        "registry {} refuses the credentials: unauthorized: incorrect username or password",
        server.address
    );
    assert_eq!(message, (Kind::Forbidden, expected));
}

#[tokio::test]
async fn token_that_does_not_reach_is_a_denial() {
    let home = Home::new();
    let tokens = Server::start(|_| Reply::new(200, r#"{"access_token":"weak"}"#)).await;
    let realm = format!("http://{}/token", tokens.address);
    let server = Server::start(move |_| {
        Reply::new(401, r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#).header(
            "WWW-Authenticate",
            format!("Bearer realm=\"{realm}\",service=\"s\",error=\"insufficient_scope\""),
        )
    })
    .await;
    let (kind, message) = failure(&home.registry(&[]), &request(server.address, "a/b:t")).await;
    let expected = format!(
        "pull access denied for {}/a/b, repository does not exist or may require 'docker login': denied: requested \
         access to the resource is denied",
        server.address
    );
    assert_eq!((kind, message), (Kind::NotFound, expected));
}

#[tokio::test]
async fn redirection_to_another_host_does_not_carry_credentials() {
    let (home, fixture) = (Home::new(), Fixture::new(1, 2 * MEGABYTE));
    let (served, cuts) = (fixture.clone(), AtomicUsize::new(0));
    let elsewhere = Server::start(move |request| {
        let mut reply = ranged(request, &served.layers[0]);
        if cuts.fetch_add(1, Ordering::SeqCst) == 0 {
            reply.cut_after = Some(MEGABYTE);
        }
        reply
    })
    .await;
    let (served, target) = (fixture.clone(), format!("http://{}/data?signature=x", elsewhere.address));
    let server = Server::start(move |request| match request.header("authorization") {
        Some(BASIC) if is_layer(&served, request) => Reply::new(307, "").header("Location", target.clone()),
        Some(BASIC) => served.answer(request),
        _ => Reply::new(401, "").header("WWW-Authenticate", "Basic realm=\"x\""),
    })
    .await;
    let mut wanted = request(server.address, "a:t");
    wanted.credentials = password("u", "secret");
    pull(&home.registry(&[]), &wanted).await.0.unwrap();
    let seen = elsewhere.seen("/data");
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|request| request.header("authorization").is_none()));
    assert_eq!(seen[1].header("range"), Some(format!("bytes={MEGABYTE}-").as_str()));
}

#[tokio::test]
async fn redirection_in_circles_ends() {
    let home = Home::new();
    let server = Server::start(|request| Reply::new(302, "").header("Location", request.path.clone())).await;
    let (_, message) = failure(&home.registry(&[]), &request(server.address, "a:t")).await;
    assert_eq!(message, format!("registry {} redirects in circles", server.address));
    assert_eq!(server.count(), 11);
}

#[tokio::test]
async fn mirrors_are_tried_in_order_and_get_no_credentials() {
    let (home, fixture) = (Home::new(), Fixture::new(1, 1000));
    let broken = Server::start(|_| Reply::new(500, "")).await;
    let wrong = {
        let served = fixture.clone();
        Server::start(move |request| {
            let mut reply = served.answer(request);
            if is_layer(&served, request) {
                reply.body[600] ^= 1;
            }
            reply
        })
        .await
    };
    let good = faultless(&fixture).await;
    let mirrors = [&broken, &wrong, &good].map(|server| format!("http://{}", server.address));
    let mut wanted = request("docker.io", "library/a:t");
    wanted.credentials = password("u", "secret");
    let pulled = pull(&home.registry(&mirrors), &wanted).await.0.unwrap();
    assert_eq!(pulled.image_id, fixture.id());
    assert_eq!(home.images.resolve("a:t").unwrap().tags, ["a:t"]);
    for server in [&broken, &wrong, &good] {
        assert!(server.count() > 0);
        assert!(server.seen("").iter().all(|request| request.header("authorization").is_none()));
    }
}

fn index(entries: &[(&str, &Fixture)]) -> Vec<u8> {
    let entries: Vec<String> = entries
        .iter()
        .map(|(architecture, fixture)| {
            let descriptor = descriptor(crate::support::MANIFEST_TYPE, &fixture.manifest);
            let descriptor = descriptor.trim_end_matches('}');
            format!(r#"{descriptor},"platform":{{"os":"linux","architecture":"{architecture}"}}}}"#)
        })
        .collect();
    format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX_TYPE}","manifests":[{}]}}"#, entries.join(","))
        .into_bytes()
}

#[tokio::test]
async fn index_gives_the_image_of_the_platform() {
    let (arm, amd) = (Fixture::for_platform(1, 1000, "arm64"), Fixture::for_platform(1, 2000, "amd64"));
    let list = index(&[("arm64", &arm), ("amd64", &amd)]);
    let (served, for_server) = ([arm.clone(), amd.clone()], list.clone());
    let server = Server::start(move |request| {
        if request.path.ends_with("/manifests/t") {
            return Reply::new(200, for_server.clone()).header("Content-Type", INDEX_TYPE);
        }
        let manifest = served.iter().find(|one| request.path.ends_with(digest(&one.manifest).as_str()));
        match manifest {
            Some(fixture) => fixture.answer(request),
            None => served.iter().map(|one| one.answer(request)).find(|reply| reply.status < 400).unwrap(),
        }
    })
    .await;
    let home = Home::new();
    let mut wanted = request(server.address, "a:t");
    for (platform, fixture) in [("linux/arm64", &arm), ("linux/amd64", &amd)] {
        wanted.platform = Some(platform.parse().unwrap());
        let pulled = pull(&home.registry(&[]), &wanted).await.0.unwrap();
        assert_eq!((pulled.image_id, pulled.digest), (fixture.id(), digest(&list)));
    }
    wanted.platform = Some("linux/s390x".parse().unwrap());
    let (kind, message) = failure(&home.registry(&[]), &wanted).await;
    assert_eq!(kind, Kind::NotFound);
    assert_eq!(
        message,
        "no matching manifest for linux/s390x in the manifest list entries: no match for platform in manifest: not found"
    );
}

#[tokio::test]
async fn lone_image_of_another_platform_is_taken_with_a_warning() {
    let (home, fixture) = (Home::new(), Fixture::for_platform(1, 1000, "s390x"));
    let server = faultless(&fixture).await;
    let mut wanted = request(server.address, "a:t");
    wanted.platform = Some("linux/amd64".parse().unwrap());
    let pulled = pull(&home.registry(&[]), &wanted).await.0.unwrap();
    let warning = format!(
        "WARNING: image with reference {}/a:t was found but its platform (linux/s390x) does not match the specified \
         platform (linux/amd64)",
        server.address
    );
    assert_eq!(pulled.warning(&wanted), Some(warning));
    wanted.platform = None;
    assert_eq!(pulled.warning(&wanted), None);
}

#[tokio::test]
async fn manifest_is_verified_and_bounded() {
    let (home, fixture) = (Home::new(), Fixture::new(1, 1000));
    let server = faultless(&fixture).await;
    let by_digest = |digest: &refs::Digest| request(server.address, &format!("a@{digest}"));
    let pulled = pull(&home.registry(&[]), &by_digest(&digest(&fixture.manifest))).await.0.unwrap();
    let image = home.images.get(&pulled.image_id).unwrap();
    assert_eq!((image.tags.len(), image.digests.len()), (0, 1));
    let other = digest(b"other");
    let (kind, message) = failure(&home.registry(&[]), &by_digest(&other)).await;
    assert_eq!(kind, Kind::DataLoss);
    assert!(message.starts_with(&format!("manifest {other} from registry")), "{message}");

    let huge = Server::start(|_| Reply::new(200, vec![b' '; 5 * MEGABYTE])).await;
    let (kind, message) = failure(&home.registry(&[]), &request(huge.address, "a:t")).await;
    assert_eq!(kind, Kind::Exhausted);
    assert_eq!(message, format!("manifest from registry {} has more than 4194304 bytes", huge.address));
}

#[tokio::test]
async fn configuration_that_does_not_fit_is_refused() {
    let mut fixture = Fixture::new(2, 1000);
    let manifest = String::from_utf8(fixture.manifest.clone()).unwrap();
    let first = descriptor("application/vnd.oci.image.layer.v1.tar", &fixture.layers[0]);
    fixture.manifest = manifest.replace(&format!("{first},"), "").into_bytes();
    let (home, server) = (Home::new(), faultless(&fixture).await);
    let message = failure(&home.registry(&[]), &request(server.address, "a:t")).await;
    assert_eq!(
        message,
        (Kind::DataLoss, "configuration is malformed: it names 2 layers, the manifest 1".into())
    );
}

#[tokio::test]
async fn tags_are_listed_page_by_page() {
    let home = Home::new();
    let server = Server::start(|request| match request.query.as_str() {
        "" => Reply::new(200, r#"{"name":"a","tags":["1","2"]}"#)
            .header("Link", "</v2/a/tags/list?last=2>; rel=\"next\""),
        _ => Reply::new(200, r#"{"name":"a","tags":["3"]}"#),
    })
    .await;
    assert_eq!(home.registry(&[]).tags(&request(server.address, "a")).await.unwrap(), ["1", "2", "3"]);
}
