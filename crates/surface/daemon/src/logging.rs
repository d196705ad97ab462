//! Where log lines go: standard error, as text or JSON.

use tracing_subscriber::filter::EnvFilter;

/// Starts logging at `level` (`error` … `trace`); libraries speak from `warn` on only.
pub(crate) fn start(level: &str, json: bool) {
    let filter = EnvFilter::new(format!("{level},hyper=warn,reqwest=warn,rustls=warn,hickory_resolver=warn"));
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    if json {
        builder.json().init();
    } else {
        builder.with_ansi(false).init();
    }
}
