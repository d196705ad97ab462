//! What the machine does, event by event: state and actions.

use super::Action::*;
use super::*;

const SECOND: Nanos = 1_000_000_000;
const T: Token = Token(1);
const T2: Token = Token(2);

fn policy(restart: RestartPolicy) -> Policy {
    Policy { restart, auto_remove: false, stop_signal: 15, stop_timeout: Some(Duration::from_secs(10)) }
}

fn idle(restart: RestartPolicy) -> Machine {
    Machine::new(policy(restart), Run::default())
}

fn running(policy: Policy) -> Machine {
    let mut machine = Machine::new(policy, Run::default());
    machine.step(0, Event::Start { token: T });
    machine.step(0, Event::Launched { pid: 7 });
    machine.step(0, Event::Started { at: SECOND });
    assert_eq!(machine.phase, Phase::Running);
    machine
}

fn exit(code: i32, finished_at: Nanos) -> Event {
    Event::Exited(Exit { code, out_of_memory: false, started_at: Some(SECOND), finished_at })
}

fn done(token: Token) -> Action {
    Reply { token, outcome: Outcome::Done }
}

fn refused(token: Token, refusal: Refusal) -> Vec<Action> {
    vec![Reply { token, outcome: Outcome::Refused(refusal) }]
}

fn failure(kind: error::Kind) -> StartFailure {
    StartFailure { kind, message: "no".into(), hint: None }
}

fn disarm_both() -> [Action; 2] {
    [Disarm { timer: Timer::StopPatience }, Disarm { timer: Timer::KillPatience }]
}

fn die(exit_code: i32, seconds: i64) -> Action {
    Publish(Fact::Die { exit_code, seconds })
}

#[test]
fn start_persists_the_intent_then_launches_releases_and_answers() {
    let mut machine = idle(RestartPolicy::No);
    assert_eq!(machine.step(0, Event::Start { token: T }), [Persist, Launch]);
    assert_eq!((machine.phase, machine.run.intent), (Phase::Starting, Intent::Run));
    assert_eq!(machine.step(0, Event::Launched { pid: 7 }), [Release]);
    let actions = machine.step(0, Event::Started { at: SECOND });
    assert_eq!(actions, [GoLive, Publish(Fact::Start), done(T), Persist]);
    let expected = Run { intent: Intent::Run, pid: Some(7), started_at: Some(SECOND), ..Run::default() };
    assert_eq!((machine.phase, machine.run), (Phase::Running, expected));
}

#[test]
fn exit_is_stored_before_it_is_acknowledged_and_told() {
    let mut machine = running(policy(RestartPolicy::No));
    let actions = machine.step(0, exit(3, 4 * SECOND));
    let mut expected = disarm_both().to_vec();
    expected.extend([Persist, Acknowledge, DetachNetwork, die(3, 3), WakeExit]);
    assert_eq!(actions, expected);
    assert_eq!((machine.phase, machine.run.exit_code, machine.run.pid), (Phase::Idle, 3, None));
    assert_eq!(machine.run.intent, Intent::Rest);
}

#[test]
fn failed_start_returns_to_rest_with_dockers_exit_codes() {
    for (kind, code) in [
        (error::Kind::CommandNotFound, 127),
        (error::Kind::CommandNotExecutable, 126),
        (error::Kind::Internal, 128),
    ] {
        let mut machine = idle(RestartPolicy::Always);
        machine.step(0, Event::Start { token: T });
        let actions = machine.step(0, Event::StartFailed(failure(kind)));
        let told = Reply { token: T, outcome: Outcome::StartFailed(failure(kind)) };
        assert_eq!(actions, [DropClients, DetachNetwork, Persist, told]);
        let run = Run { exit_code: code, error: "no".into(), ..Run::default() };
        assert_eq!((machine.phase, machine.run), (Phase::Idle, run));
    }
}

#[test]
fn failed_start_of_a_container_with_auto_remove_removes_it() {
    let mut machine = Machine::new(Policy { auto_remove: true, ..policy(RestartPolicy::No) }, Run::default());
    machine.step(0, Event::Start { token: T });
    let actions = machine.step(0, Event::StartFailed(failure(error::Kind::Internal)));
    let told = Reply { token: T, outcome: Outcome::StartFailed(failure(error::Kind::Internal)) };
    assert_eq!(actions, [DropClients, DetachNetwork, Forget, told]);
    assert_eq!(
        machine.step(0, Event::Forgotten),
        [Acknowledge, DetachNetwork, RemoveFiles, Publish(Fact::Destroy), WakeRemoved]
    );
}

#[test]
fn auto_remove_forgets_the_record_before_the_exit_is_acknowledged() {
    let mut machine = running(Policy { auto_remove: true, ..policy(RestartPolicy::No) });
    let mut expected = disarm_both().to_vec();
    expected.extend([DetachNetwork, die(0, 0), WakeExit, DropClients, Forget]);
    assert_eq!(machine.step(0, exit(0, SECOND)), expected);
    assert_eq!(machine.phase, Phase::Removing);
    assert_eq!(
        machine.step(0, Event::Forgotten),
        [Acknowledge, DetachNetwork, RemoveFiles, Publish(Fact::Destroy), WakeRemoved]
    );
    assert_eq!(machine.phase, Phase::Gone);
}

#[test]
fn stop_sends_the_signal_waits_and_escalates_to_kill() {
    let mut machine = running(policy(RestartPolicy::Always));
    let after = Duration::from_secs(10);
    assert_eq!(
        machine.step(0, Event::Stop { token: T, signal: 15, timeout: Some(after) }),
        [
            Persist,
            Signal { signal: 15 },
            Publish(Fact::Kill { signal: 15 }),
            Arm { timer: Timer::StopPatience, after }
        ]
    );
    assert!(machine.run.user_stopped);
    assert_eq!(
        machine.step(0, Event::Deadline(Timer::StopPatience)),
        [
            Signal { signal: 9 },
            Publish(Fact::Kill { signal: 9 }),
            Arm { timer: Timer::KillPatience, after: KILL_PATIENCE }
        ]
    );
    let mut expected = disarm_both().to_vec();
    expected.extend([
        Persist,
        Acknowledge,
        DetachNetwork,
        die(137, 0),
        Publish(Fact::Stop),
        done(T),
        WakeExit,
    ]);
    assert_eq!(machine.step(0, exit(137, SECOND)), expected);
    assert_eq!(machine.phase, Phase::Idle, "a stopped container is not restarted by its policy");
}

#[test]
fn stop_without_timeout_never_escalates_and_with_zero_kills_at_once() {
    let mut machine = running(policy(RestartPolicy::No));
    assert_eq!(
        machine.step(0, Event::Stop { token: T, signal: 2, timeout: None }),
        [Persist, Signal { signal: 2 }, Publish(Fact::Kill { signal: 2 })]
    );
    let actions = machine.step(0, Event::Stop { token: T2, signal: 2, timeout: Some(Duration::ZERO) });
    assert_eq!(actions[..2], [Persist, Signal { signal: 9 }]);
    let told = machine.step(0, exit(137, SECOND));
    assert!(told.contains(&done(T)) && told.contains(&done(T2)), "{told:?}");
}

#[test]
fn kill_that_has_no_effect_is_reported_to_all_who_wait() {
    let mut machine = running(policy(RestartPolicy::No));
    machine.step(0, Event::Stop { token: T, signal: 15, timeout: Some(Duration::ZERO) });
    machine.step(0, Event::Remove { token: T2, force: true });
    let actions = machine.step(0, Event::Deadline(Timer::KillPatience));
    let message = "tried to kill container, but did not receive an exit event".to_owned();
    let told = |token| Reply { token, outcome: Outcome::Failed { message: message.clone() } };
    assert_eq!(actions[2..], [told(T), told(T2)]);
    assert_eq!(machine.phase, Phase::Running);
    let actions = machine.step(0, exit(137, SECOND));
    assert!(!actions.contains(&Forget), "a removal that was given up is not taken up again: {actions:?}");
}

#[test]
fn user_restart_stops_and_starts_and_answers_once_it_runs() {
    let mut machine = running(policy(RestartPolicy::No));
    machine.step(0, Event::Restart { token: T2, signal: 15, timeout: Some(Duration::from_secs(1)) });
    let mut expected = disarm_both().to_vec();
    expected.extend([
        Persist,
        Acknowledge,
        DetachNetwork,
        die(0, 0),
        Publish(Fact::Stop),
        WakeExit,
        Persist,
        Launch,
    ]);
    assert_eq!(machine.step(0, exit(0, SECOND)), expected);
    machine.step(0, Event::Launched { pid: 8 });
    assert_eq!(
        machine.step(0, Event::Started { at: SECOND }),
        [GoLive, Publish(Fact::Start), Publish(Fact::Restart), done(T2), Persist]
    );
    assert!(!machine.run.user_stopped);
}

#[test]
fn user_restart_of_a_container_with_auto_remove_keeps_it() {
    let mut machine = running(Policy { auto_remove: true, ..policy(RestartPolicy::No) });
    machine.step(0, Event::Restart { token: T, signal: 15, timeout: None });
    let actions = machine.step(0, exit(0, SECOND));
    assert!(actions.contains(&Launch) && !actions.contains(&Forget), "{actions:?}");
}

#[test]
fn restart_policies_decide_by_code_count_and_user() {
    let on_failure = |retries| RestartPolicy::OnFailure { retries };
    let cases = [
        (RestartPolicy::No, 1, 0, false, false),
        (RestartPolicy::Always, 0, 9, false, true),
        (RestartPolicy::Always, 0, 0, true, false),
        (RestartPolicy::UnlessStopped, 1, 0, false, true),
        (RestartPolicy::UnlessStopped, 1, 0, true, false),
        (on_failure(0), 0, 0, false, false),
        (on_failure(0), 1, 99, false, true),
        (on_failure(3), 1, 2, false, true),
        (on_failure(3), 1, 3, false, false),
        (on_failure(3), 1, 0, true, false),
    ];
    for (policy, exit_code, restart_count, user_stopped, expected) in cases {
        let run = Run { exit_code, restart_count, user_stopped, ..Run::default() };
        assert_eq!(should_restart(policy, &run), expected, "{policy:?} {run:?}");
    }
}

#[test]
fn policy_restarts_with_growing_pauses_up_to_a_minute() {
    let mut machine = running(policy(RestartPolicy::Always));
    let mut delays = Vec::new();
    for count in 1..=12 {
        let actions = machine.step(0, exit(1, 2 * SECOND));
        let Some(Arm { timer: Timer::RestartDelay, after }) = actions.last() else { panic!("{actions:?}") };
        delays.push(after.as_millis());
        assert_eq!((machine.phase, machine.run.restart_count), (Phase::Restarting, count));
        assert_eq!(machine.step(0, Event::Deadline(Timer::RestartDelay)), [Persist, Launch]);
        machine.step(0, Event::Launched { pid: 8 });
        machine.step(0, Event::Started { at: SECOND });
    }
    assert_eq!(delays[..5], [100, 200, 400, 800, 1600]);
    assert_eq!(delays[10..], [60_000, 60_000]);
}

#[test]
fn run_of_ten_seconds_makes_the_pauses_begin_anew() {
    let mut machine = running(policy(RestartPolicy::Always));
    machine.step(0, exit(1, 2 * SECOND));
    machine.step(0, Event::Deadline(Timer::RestartDelay));
    machine.step(0, Event::Started { at: SECOND });
    let actions = machine.step(0, exit(1, 11 * SECOND));
    assert_eq!(actions.last(), Some(&Arm { timer: Timer::RestartDelay, after: Duration::from_millis(100) }));
}

#[test]
fn stop_and_kill_of_a_restarting_container_cancel_the_restart() {
    for (event, said) in [
        (Event::Stop { token: T2, signal: 15, timeout: None }, vec![Publish(Fact::Stop), done(T2)]),
        (Event::Kill { token: T2, signal: 9 }, vec![done(T2)]),
    ] {
        let mut machine = running(policy(RestartPolicy::Always));
        machine.step(0, exit(1, 2 * SECOND));
        let mut expected = vec![Disarm { timer: Timer::RestartDelay }, Persist];
        expected.extend(said);
        assert_eq!(machine.step(0, event), expected);
        assert_eq!((machine.phase, machine.run.intent), (Phase::Idle, Intent::Rest));
        assert_eq!(machine.step(0, Event::Deadline(Timer::RestartDelay)), []);
    }
}

#[test]
fn start_of_a_restarting_container_does_not_wait_for_the_timer() {
    let mut machine = running(policy(RestartPolicy::Always));
    machine.step(0, exit(1, 2 * SECOND));
    let actions = machine.step(0, Event::Start { token: T2 });
    assert_eq!(actions, [Disarm { timer: Timer::RestartDelay }, Persist, Launch]);
    assert_eq!(machine.run.restart_count, 0);
}

#[test]
fn kill_answers_at_once_except_sigkill_which_answers_at_the_end() {
    let mut machine = running(policy(RestartPolicy::Always));
    assert_eq!(
        machine.step(0, Event::Kill { token: T, signal: 1 }),
        [Signal { signal: 1 }, Publish(Fact::Kill { signal: 1 }), done(T)]
    );
    assert!(!machine.run.user_stopped, "SIGHUP does not silence the policy");
    let actions = machine.step(0, Event::Kill { token: T2, signal: 9 });
    assert_eq!(actions[..3], [Persist, Signal { signal: 9 }, Publish(Fact::Kill { signal: 9 })]);
    assert!(!actions.contains(&done(T2)));
    let actions = machine.step(0, exit(137, 2 * SECOND));
    assert!(actions.contains(&done(T2)) && !actions.contains(&Publish(Fact::Stop)), "{actions:?}");
    assert_eq!(machine.phase, Phase::Idle);
}

#[test]
fn paused_container_is_thawed_to_receive_its_end() {
    let mut machine = running(policy(RestartPolicy::No));
    assert_eq!(machine.step(0, Event::Pause { token: T }), [Freeze { token: T }]);
    let frozen = Event::FreezeEnded { token: T, frozen: true, error: None };
    assert_eq!(machine.step(0, frozen), [Publish(Fact::Pause), done(T)]);
    assert_eq!(machine.phase, Phase::Paused);
    let actions = machine.step(0, Event::Kill { token: T2, signal: 9 });
    assert!(actions.contains(&Thaw { token: None }), "{actions:?}");
}

#[test]
fn pause_that_fails_leaves_the_container_running() {
    let mut machine = running(policy(RestartPolicy::No));
    machine.step(0, Event::Pause { token: T });
    let failed = Event::FreezeEnded { token: T, frozen: true, error: Some("no freezer".into()) };
    let told = Reply { token: T, outcome: Outcome::Failed { message: "no freezer".into() } };
    assert_eq!(machine.step(0, failed), [told]);
    assert_eq!(machine.phase, Phase::Running);
}

#[test]
fn requests_that_do_not_fit_the_state_are_refused() {
    let stop = |token| Event::Stop { token, signal: 15, timeout: None };
    let mut machine = idle(RestartPolicy::No);
    assert_eq!(machine.step(0, stop(T)), [Reply { token: T, outcome: Outcome::NotModified }]);
    assert_eq!(machine.step(0, Event::Kill { token: T, signal: 9 }), refused(T, Refusal::NotRunning));
    assert_eq!(machine.step(0, Event::Pause { token: T }), refused(T, Refusal::NotRunning));
    assert_eq!(machine.step(0, Event::Unpause { token: T }), refused(T, Refusal::NotPaused));

    let mut machine = running(policy(RestartPolicy::Always));
    assert_eq!(
        machine.step(0, Event::Start { token: T }),
        [Reply { token: T, outcome: Outcome::NotModified }]
    );
    assert_eq!(machine.step(0, Event::Remove { token: T, force: false }), refused(T, Refusal::RemoveRunning));
    machine.step(0, Event::FreezeEnded { token: T, frozen: true, error: None });
    assert_eq!(machine.step(0, Event::Start { token: T }), refused(T, Refusal::StartPaused));
    assert_eq!(machine.step(0, Event::Pause { token: T }), refused(T, Refusal::AlreadyPaused));
    assert_eq!(machine.step(0, Event::Remove { token: T, force: false }), refused(T, Refusal::RemovePaused));
    machine.step(0, exit(1, 2 * SECOND));
    assert_eq!(machine.step(0, Event::Pause { token: T }), refused(T, Refusal::Restarting));
    assert_eq!(
        machine.step(0, Event::Remove { token: T, force: false }),
        refused(T, Refusal::RemoveRestarting)
    );
}

#[test]
fn removal_of_a_container_at_rest_forgets_it_first() {
    let mut machine = idle(RestartPolicy::No);
    assert_eq!(machine.step(0, Event::Remove { token: T, force: false }), [DropClients, Forget]);
    assert_eq!(machine.step(0, Event::Remove { token: T2, force: true }), refused(T2, Refusal::Removing));
    assert_eq!(
        machine.step(0, Event::Forgotten),
        [Acknowledge, DetachNetwork, RemoveFiles, Publish(Fact::Destroy), done(T), WakeRemoved]
    );
}

#[test]
fn forced_removal_kills_and_removes_despite_the_policy() {
    let mut machine = running(policy(RestartPolicy::Always));
    let actions = machine.step(0, Event::Remove { token: T, force: true });
    assert_eq!(actions[..2], [Signal { signal: 9 }, Publish(Fact::Kill { signal: 9 })]);
    let actions = machine.step(0, exit(137, 2 * SECOND));
    assert_eq!(actions.last(), Some(&Forget));
    assert_eq!(machine.phase, Phase::Removing);
}

#[test]
fn removal_that_cannot_be_stored_leaves_the_container() {
    let mut machine = idle(RestartPolicy::No);
    machine.step(0, Event::Remove { token: T, force: false });
    let actions = machine.step(0, Event::ForgetFailed { message: "disk full".into() });
    let told = Reply { token: T, outcome: Outcome::Failed { message: "disk full".into() } };
    assert_eq!(actions, [Persist, Acknowledge, DetachNetwork, told]);
    assert_eq!(machine.phase, Phase::Idle);
}

#[test]
fn lost_supervisor_means_a_killed_container() {
    let mut machine = running(policy(RestartPolicy::No));
    let actions = machine.step(3 * SECOND, Event::ShimLost);
    assert_eq!(actions[0], Sweep);
    assert!(actions.contains(&die(137, 2)), "{actions:?}");
    assert_eq!(machine.run.exit_code, 137);
    assert!(machine.run.error.contains("supervisor"), "{}", machine.run.error);
}

#[test]
fn supervisor_lost_before_the_program_ran_is_a_failed_start() {
    let mut machine = idle(RestartPolicy::Always);
    machine.step(0, Event::Start { token: T });
    let actions = machine.step(0, Event::ShimLost);
    assert_eq!(actions[..3], [Sweep, DropClients, DetachNetwork]);
    assert_eq!((machine.phase, machine.run.exit_code), (Phase::Idle, 128));
}

#[test]
fn exit_that_is_told_twice_is_only_acknowledged() {
    let mut machine = running(policy(RestartPolicy::No));
    machine.step(0, exit(0, SECOND));
    assert_eq!(machine.step(0, exit(1, SECOND)), [Acknowledge]);
    assert_eq!(machine.run.exit_code, 0);
}

#[test]
fn out_of_memory_is_made_known_and_kept_with_the_exit() {
    let mut machine = running(policy(RestartPolicy::No));
    assert_eq!(machine.step(0, Event::OutOfMemory), [Publish(Fact::Oom)]);
    let end = Exit { code: 137, out_of_memory: true, started_at: None, finished_at: SECOND };
    machine.step(0, Event::Exited(end));
    assert!(machine.run.oom_killed);
    machine.step(0, Event::Start { token: T });
    assert!(!machine.run.oom_killed, "a new run begins without it");
}

fn stored(intent: Intent, started_at: Option<Nanos>, user_stopped: bool) -> Run {
    Run { intent, started_at, user_stopped, ..Run::default() }
}

#[test]
fn engine_that_starts_takes_over_a_running_container() {
    let run = Run { pid: Some(7), ..stored(Intent::Run, Some(SECOND), false) };
    let mut machine = Machine::new(policy(RestartPolicy::No), run);
    let found = Event::Found(Found::Running { pid: 7, started_at: SECOND, frozen: true });
    assert_eq!(machine.step(0, found), [GoLive]);
    assert_eq!(machine.phase, Phase::Paused);

    let mut machine = Machine::new(policy(RestartPolicy::No), stored(Intent::Run, None, false));
    let found = Event::Found(Found::Running { pid: 7, started_at: SECOND, frozen: false });
    assert_eq!(machine.step(0, found), [GoLive, Persist]);
    assert_eq!((machine.phase, machine.run.started_at), (Phase::Running, Some(SECOND)));
}

#[test]
fn engine_that_starts_learns_of_an_exit_and_obeys_the_policy() {
    let run = stored(Intent::Run, Some(SECOND), false);
    let mut machine = Machine::new(policy(RestartPolicy::OnFailure { retries: 0 }), run);
    let end = Exit { code: 5, out_of_memory: false, started_at: Some(SECOND), finished_at: 2 * SECOND };
    let actions = machine.step(9 * SECOND, Event::Found(Found::Ended(end)));
    assert!(actions.contains(&die(5, 1)) && actions.contains(&Acknowledge), "{actions:?}");
    assert_eq!(machine.phase, Phase::Restarting);
}

#[test]
fn engine_that_starts_finds_nothing_of_a_container_that_should_run() {
    let mut machine = Machine::new(policy(RestartPolicy::No), stored(Intent::Run, Some(SECOND), false));
    let actions = machine.step(3 * SECOND, Event::Found(Found::Nothing));
    assert!(actions.contains(&Sweep) && actions.contains(&die(137, 2)), "{actions:?}");
    assert_eq!(machine.phase, Phase::Idle);
}

#[test]
fn start_that_was_answered_and_not_yet_written_down_has_ended_too() {
    let mut machine = Machine::new(policy(RestartPolicy::No), stored(Intent::Run, None, false));
    let actions = machine.step(3 * SECOND, Event::Found(Found::Nothing));
    assert!(actions.contains(&die(137, 0)), "{actions:?}");
    assert_eq!((machine.run.started_at, machine.run.exit_code), (Some(3 * SECOND), 137));
}

#[test]
fn engine_that_starts_resumes_what_the_policy_wants() {
    let resumed = vec![Persist, Launch];
    let removed = vec![Forget];
    let on_failure = RestartPolicy::OnFailure { retries: 0 };
    let cases = [
        (RestartPolicy::No, false, stored(Intent::Rest, Some(SECOND), false), vec![]),
        (RestartPolicy::Always, false, stored(Intent::Rest, Some(SECOND), true), resumed.clone()),
        (RestartPolicy::Always, false, stored(Intent::Rest, None, false), vec![]),
        (RestartPolicy::UnlessStopped, false, stored(Intent::Rest, Some(SECOND), true), vec![]),
        (RestartPolicy::UnlessStopped, false, stored(Intent::Restart, Some(SECOND), false), resumed.clone()),
        (on_failure, false, stored(Intent::Rest, Some(SECOND), false), vec![]),
        (on_failure, false, stored(Intent::Restart, Some(SECOND), false), resumed),
        (RestartPolicy::No, true, stored(Intent::Rest, Some(SECOND), false), removed),
        (RestartPolicy::No, true, stored(Intent::Rest, None, false), vec![]),
    ];
    for (restart, auto_remove, run, expected) in cases {
        let text = format!("{restart:?} {auto_remove} {run:?}");
        let mut machine = Machine::new(Policy { auto_remove, ..policy(restart) }, run);
        assert_eq!(machine.step(0, Event::Found(Found::Nothing)), expected, "{text}");
    }
}

#[test]
fn container_at_the_barrier_is_undone_by_the_next_engine() {
    let mut machine = Machine::new(policy(RestartPolicy::No), stored(Intent::Run, None, false));
    assert_eq!(machine.step(0, Event::Found(Found::Unreleased)), [Sweep, DetachNetwork, Persist]);
    assert_eq!((machine.phase, machine.run.intent), (Phase::Idle, Intent::Rest));
    let auto_remove = Policy { auto_remove: true, ..policy(RestartPolicy::No) };
    let mut machine = Machine::new(auto_remove, stored(Intent::Run, None, false));
    assert_eq!(machine.step(0, Event::Found(Found::Unreleased)), [Sweep, DetachNetwork, Forget]);
}

#[test]
fn unhealthy_container_is_ended_and_started_again_only_by_its_policy() {
    let mut machine = running(policy(RestartPolicy::Always));
    assert_eq!(machine.step(0, Event::Unhealthy), []);
    let mut machine = running(policy(RestartPolicy::OnUnhealthy { retries: 1 }));
    let patience = Arm { timer: Timer::StopPatience, after: Duration::from_secs(10) };
    let actions = machine.step(0, Event::Unhealthy);
    assert_eq!(actions, [Signal { signal: 15 }, Publish(Fact::Kill { signal: 15 }), patience]);
    assert_eq!(machine.step(0, Event::Unhealthy), [], "once is enough");
    // Even a program that ends well is started again: it was ended for its health.
    let _ = machine.step(0, exit(0, 4 * SECOND));
    assert_eq!((machine.phase, machine.run.restart_count), (Phase::Restarting, 1));
    let _ = machine.step(0, Event::Deadline(Timer::RestartDelay));
    machine.step(0, Event::Launched { pid: 8 });
    machine.step(0, Event::Started { at: 5 * SECOND });
    assert_eq!(machine.step(0, Event::Unhealthy), [], "the limit is reached");
    assert_eq!(machine.phase, Phase::Running);
}

#[test]
fn users_stop_wins_over_the_cure() {
    let mut machine = running(policy(RestartPolicy::OnUnhealthy { retries: 0 }));
    machine.step(0, Event::Unhealthy);
    machine.step(0, Event::Stop { token: T, signal: 15, timeout: None });
    machine.step(0, exit(0, 4 * SECOND));
    assert_eq!(machine.phase, Phase::Idle);
    let mut machine = running(policy(RestartPolicy::OnUnhealthy { retries: 0 }));
    assert_eq!(machine.step(0, Event::Stop { token: T, signal: 15, timeout: None })[0], Persist);
    assert_eq!(machine.step(0, Event::Unhealthy), [], "it is being stopped");
}

#[test]
fn changed_policy_counts_at_the_next_end() {
    let mut machine = running(policy(RestartPolicy::No));
    assert_eq!(machine.step(0, Event::PolicyChanged { restart: RestartPolicy::Always }), []);
    machine.step(0, exit(0, 4 * SECOND));
    assert_eq!(machine.phase, Phase::Restarting);
}
