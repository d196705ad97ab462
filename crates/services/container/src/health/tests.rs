//! What the machine does, result by result.

use super::*;

const SECOND: Nanos = 1_000_000_000;
const START: Nanos = 1_000 * SECOND;

fn check(test: &[&str]) -> Healthcheck {
    Healthcheck {
        test: test.iter().map(|word| (*word).to_owned()).collect(),
        interval_ns: 10 * SECOND,
        timeout_ns: SECOND,
        start_period_ns: 60 * SECOND,
        start_interval_ns: 2 * SECOND,
        retries: 2,
    }
}

fn monitor(check: Healthcheck) -> Monitor {
    let config = Config { health: Some(check), ..Config::default() };
    Monitor::new(Check::of(&config).unwrap(), None)
}

fn result(at: Nanos, exit_code: i32) -> ProbeResult {
    ProbeResult { started_at: at, ended_at: at, exit_code, output: String::new() }
}

fn arm(seconds: u64) -> Action {
    Action::Arm { after: Duration::from_secs(seconds) }
}

#[test]
fn failures_in_the_start_period_do_not_count_and_the_first_success_ends_it() {
    let mut monitor = monitor(check(&["CMD", "x"]));
    assert_eq!(monitor.step(START, Event::Started { at: START }), [arm(2), Action::Save]);
    assert_eq!(monitor.step(START, Event::Due), [Action::Probe]);
    for second in [2, 4, 6, 8] {
        let at = START + second * SECOND;
        assert_eq!(monitor.step(at, Event::Probed(result(at, 1))), [arm(2), Action::Save]);
    }
    let at = START + 10 * SECOND;
    let actions = monitor.step(at, Event::Probed(result(at, 0)));
    assert_eq!(actions, [arm(10), Action::Save, Action::Publish(HealthStatus::Healthy)]);
    // From now on failures count, although the start period goes on.
    assert_eq!(monitor.step(at, Event::Probed(result(at, 1))), [arm(10), Action::Save]);
    let actions = monitor.step(at, Event::Probed(result(at, 1)));
    assert_eq!(actions, [arm(10), Action::Save, Action::Publish(HealthStatus::Unhealthy), Action::Sick]);
    let health = monitor.health.unwrap();
    assert_eq!((health.failing_streak, health.log.len()), (2, 5), "five results are kept");
}

#[test]
fn after_the_start_period_failures_count_at_once() {
    let mut monitor = monitor(check(&["CMD", "x"]));
    let _ = monitor.step(START, Event::Started { at: START });
    let at = START + 61 * SECOND;
    assert_eq!(monitor.step(at, Event::Probed(result(at, 1))), [arm(10), Action::Save]);
    let actions = monitor.step(at, Event::Probed(result(at, -1)));
    assert_eq!(actions.last(), Some(&Action::Sick));
    // It stays so: told once, but the policy may act each time.
    assert_eq!(monitor.step(at, Event::Probed(result(at, 1))), [arm(10), Action::Save, Action::Sick]);
}

#[test]
fn stopped_monitor_is_unhealthy_and_a_restart_keeps_the_log() {
    let mut monitor = monitor(check(&["CMD", "x"]));
    let _ = monitor.step(START, Event::Started { at: START });
    let _ = monitor.step(START, Event::Probed(result(START, 0)));
    assert_eq!(monitor.step(START, Event::Stopped), [Action::Cancel, Action::Save]);
    assert_eq!(monitor.step(START, Event::Due), []);
    assert_eq!(monitor.step(START, Event::Probed(result(START, 0))), [], "too late");
    assert_eq!(monitor.health.as_ref().unwrap().status, HealthStatus::Unhealthy);
    assert_eq!(monitor.step(START, Event::Resumed), [arm(10)]);
    let _ = monitor.step(START, Event::Stopped);
    let _ = monitor.step(START, Event::Started { at: START + SECOND });
    let health = monitor.health.unwrap();
    assert_eq!((health.status, health.log.len()), (HealthStatus::Starting, 1));
}

#[test]
fn next_engine_goes_on_where_the_last_one_was() {
    let mut monitor = monitor(check(&["CMD", "x"]));
    monitor.health = Some(Health {
        status: HealthStatus::Healthy,
        failing_streak: 1,
        log: vec![result(START + 70 * SECOND, 1)],
    });
    assert_eq!(monitor.step(START + 73 * SECOND, Event::Found { started_at: START }), [arm(7)]);
    assert_eq!(monitor.step(START + 99 * SECOND, Event::Found { started_at: START }), [arm(0)], "overdue");
    let actions = monitor.step(START, Event::Probed(result(START, 1)));
    assert_eq!(actions, [arm(10), Action::Save, Action::Publish(HealthStatus::Unhealthy), Action::Sick]);
}

#[test]
fn check_fills_in_dockers_defaults_and_knows_its_kinds() {
    let of = |test: &[&str], shell: Option<&[&str]>| {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let health = Healthcheck { test: words(test), ..Healthcheck::default() };
        Check::of(&Config { health: Some(health), shell: shell.map(words), ..Config::default() })
    };
    let found = of(&["CMD-SHELL", "a b"], None).unwrap();
    assert_eq!(found.probe, Probe::Command(vec!["/bin/sh".into(), "-c".into(), "a b".into()]));
    assert_eq!((found.interval, found.timeout, found.retries), (DEFAULT, DEFAULT, 3));
    assert_eq!((found.start_period, found.start_interval), (Duration::ZERO, DEFAULT_START));
    let found = of(&["CMD-SHELL", "a"], Some(&["bash", "-lc"])).unwrap();
    assert_eq!(found.probe, Probe::Command(vec!["bash".into(), "-lc".into(), "a".into()]));
    for none in [&[][..], &["NONE"], &["FOO", "x"], &["HTTP"], &["HTTP", "nonsense"]] {
        assert_eq!(of(none, None), None, "{none:?}");
    }
}

#[test]
fn http_probe_defaults_to_the_loopback_address() {
    let probe = |host: &str, port, path: &str| {
        Some(HttpProbe { host: host.parse().unwrap(), port, path: path.into() })
    };
    assert_eq!(HttpProbe::parse(":8080/healthz"), probe("127.0.0.1", 8080, "/healthz"));
    assert_eq!(HttpProbe::parse("http://localhost:80"), probe("127.0.0.1", 80, "/"));
    assert_eq!(HttpProbe::parse("[::1]:80/a?b=c"), probe("::1", 80, "/a?b=c"));
    let http = |pages: &[&str]| {
        let mut test = vec!["HTTP".to_owned()];
        test.extend(pages.iter().map(|page| (*page).to_owned()));
        super::check(Some(&Healthcheck { test, ..Healthcheck::default() })).map_err(|error| error.to_string())
    };
    assert_eq!(http(&[":80"]), Ok(()));
    let text = "invalid health check [\"web\"]: HTTP takes one page, [http://][address]:port[/path]";
    assert_eq!(http(&["web"]), Err(text.to_owned()));
    assert!(http(&[]).is_err() && http(&[":80", ":81"]).is_err());
    for bad in ["", "8080", ":0", ":70000", ":x", ":80/a b", ":80/\r\nX: y", "https://[::1]:1", "web:1"] {
        assert_eq!(HttpProbe::parse(bad), None, "{bad:?}");
    }
}

#[test]
fn request_wins_over_the_image_field_by_field() {
    let image = oci::image::Healthcheck {
        test: vec!["CMD".into(), "image".into()],
        interval: 1,
        timeout: 2,
        start_period: 3,
        start_interval: 4,
        retries: 5,
    };
    let request = Healthcheck { interval_ns: 9, ..Healthcheck::default() };
    let merged = merge(Some(request), Some(&image)).unwrap();
    assert_eq!(merged.test, ["CMD", "image"]);
    assert_eq!(
        (merged.interval_ns, merged.timeout_ns, merged.start_interval_ns, merged.retries),
        (9, 2, 4, 5)
    );
    assert_eq!(merge(None, None), None);
    let none = Healthcheck { test: vec!["NONE".into()], ..Healthcheck::default() };
    assert_eq!(merge(Some(none), Some(&image)).unwrap().test, ["NONE"]);
}
