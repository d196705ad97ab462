//! `naru version`.

use gotmpl::{Null, Options, Shape, Template, Value};
use wire::system::Version;

use crate::command::{Arity, Command, Run};
use crate::context::{Context, print};
use crate::failure::{Failure, Outcome};
use crate::flags::{Flag, Matches};
use crate::format::INSPECT_HELP;
use crate::format::tabs::{Columns, align};
use crate::format::zone::civil;

/// `naru version`.
pub(crate) const VERSION: Command = Command {
    flags: &[Flag::one("format", "string", INSPECT_HELP).short('f')],
    ..Command::new("[OPTIONS]", "Show the Naru version information", Arity::None, version)
};

fn version<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(work(context, flags))
}

/// Returns what is known of this program.
pub(super) fn client_version(context: &Context) -> Vec<(&'static str, String)> {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    vec![
        ("Version", env!("CARGO_PKG_VERSION").to_owned()),
        ("ApiVersion", context.client().version()),
        ("DefaultAPIVersion", wire::version::CURRENT.to_string()),
        ("Os", std::env::consts::OS.to_owned()),
        ("Arch", architecture.to_owned()),
        ("Context", "default".to_owned()),
    ]
}

/// How the version is shown.
enum Show {
    Text,
    Json,
    Template(Template),
}

impl Show {
    fn parse(format: &str) -> Outcome<Self> {
        match format {
            "" => Ok(Self::Text),
            "json" | "{{json .}}" => Ok(Self::Json),
            text => {
                let shape = Shape::Struct { type_name: "system.versionInfo", null: |_| Null::Pointer };
                let options = Options { shape, ..Options::default() };
                Template::parse("version", text, &options)
                    .map(Self::Template)
                    .map_err(|why| Failure::new(format!("template parsing error: {why}")).with_code(64))
            }
        }
    }
}

async fn work(context: &Context, flags: &Matches) -> Outcome {
    let show = Show::parse(flags.text("format"))?;
    // The client's half is shown even if there is no engine.
    let answer = match context.engine().await {
        Ok(client) => client.version_raw().await.map_err(Failure::from),
        Err(failure) => Err(failure),
    };
    let server = answer.as_ref().ok().map(|bytes| read(bytes)).transpose()?;
    let client = client_version(context);
    let shown = match show {
        Show::Text => Ok(align(&text(&client, server.as_ref()), Columns { min_width: 20, padding: 1 })),
        Show::Json => json(&client, server.as_ref()),
        Show::Template(template) => template
            .execute(&value(&client, server.as_ref())?)
            .map(|shown| shown + "\n")
            .map_err(|why| Failure::new(why.to_string())),
    };
    // As in Docker, a template that fails leaves an empty line.
    print(shown.as_deref().unwrap_or("\n"))?;
    shown?;
    answer.map(|_| ())
}

fn read(bytes: &[u8]) -> Outcome<Version> {
    let mut version: Version = serde_json::from_slice(bytes)
        .map_err(|why| Failure::new(format!("cannot read the engine's version: {why}")))?;
    for component in &mut version.components {
        if let Some(time) = component.details.as_mut().and_then(|details| details.get_mut("BuildTime")) {
            *time = ansic(time);
        }
    }
    Ok(version)
}

fn json(client: &[(&'static str, String)], server: Option<&Version>) -> Outcome<String> {
    let failed = |why: serde_json::Error| Failure::new(format!("cannot write the version as JSON: {why}"));
    let members: Result<Vec<String>, _> = client
        .iter()
        .map(|(name, value)| serde_json::to_string(value).map(|value| format!("\"{name}\":{value}")))
        .collect();
    let server = serde_json::to_string(&server).map_err(failed)?;
    Ok(format!("{{\"Client\":{{{}}},\"Server\":{server}}}\n", members.map_err(failed)?.join(",")))
}

/// Returns the data of templates. Go's field is APIVersion where the JSON name is ApiVersion.
fn value(client: &[(&'static str, String)], server: Option<&Version>) -> Outcome<Value> {
    let failed = |why: serde_json::Error| Failure::new(format!("cannot read the engine's version: {why}"));
    let mut value = Value::from_json(&json(client, server)?).map_err(failed)?;
    let Value::Map(halves) = &mut value else { return Ok(value) };
    for (_, half) in halves {
        let Value::Map(members) = half else { continue };
        for (name, _) in members.iter_mut().filter(|(name, _)| name == "ApiVersion") {
            "APIVersion".clone_into(name);
        }
        for name in ["GitCommit", "GoVersion", "BuildTime", "KernelVersion"] {
            if !members.iter().any(|(known, _)| known == name) {
                members.push((name.to_owned(), Value::Text(String::new())));
            }
        }
    }
    Ok(value)
}

/// Returns the text with tabs between names and values.
fn text(client: &[(&'static str, String)], server: Option<&Version>) -> String {
    let of =
        |name: &str| client.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value.as_str());
    let (api, newest) = (of("ApiVersion"), of("DefaultAPIVersion"));
    let mut out = String::from("Client: Naru\n");
    out.push_str(&format!(" Version:\t{}\n API version:\t{api}", of("Version")));
    if api != newest {
        out.push_str(&format!(" (downgraded from {newest})"));
    }
    out.push_str(&format!("\n OS/Arch:\t{}/{}\n Context:\t{}\n", of("Os"), of("Arch"), of("Context")));
    let Some(server) = server else { return out };
    out.push_str("\nServer:");
    if !server.platform.name.is_empty() {
        out.push_str(&format!(" {}", server.platform.name));
    }
    out.push('\n');
    for component in &server.components {
        out.push_str(&format!(" {}:\n  Version:\t{}\n", component.name, component.version));
        let details = component.details.clone().unwrap_or_default();
        let detail = |name: &str| details.get(name).map_or("", String::as_str);
        if component.name != "Engine" {
            details.iter().for_each(|(name, value)| out.push_str(&format!("  {name}:\t{value}\n")));
            continue;
        }
        out.push_str(&format!(
            "  API version:\t{} (minimum version {})\n",
            detail("ApiVersion"),
            detail("MinAPIVersion")
        ));
        for (title, name) in
            [("Go version", "GoVersion"), ("Git commit", "GitCommit"), ("Built", "BuildTime")]
        {
            if !detail(name).is_empty() {
                out.push_str(&format!("  {title}:\t{}\n", detail(name)));
            }
        }
        out.push_str(&format!("  OS/Arch:\t{}/{}\n", detail("Os"), detail("Arch")));
        out.push_str(&format!("  Experimental:\t{}\n", detail("Experimental")));
    }
    out
}

/// Returns a moment as C's asctime prints it, `Tue Sep 15 11:02:57 2026`; other texts stay.
fn ansic(text: &str) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let Ok(moment) = refs::Timestamp::parse_rfc3339(text) else { return text.to_owned() };
    let (days, second) = (moment.seconds().div_euclid(86_400), moment.seconds().rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let name = |names: &[&'static str], index: i64| {
        usize::try_from(index).ok().and_then(|index| names.get(index).copied()).unwrap_or_default()
    };
    format!(
        "{} {} {day:>2} {:02}:{:02}:{:02} {year}",
        name(&DAYS, days.rem_euclid(7)),
        name(&MONTHS, month - 1),
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_time_is_shown_as_docker_does() {
        assert_eq!(ansic("2026-09-15T11:02:57.000000000+00:00"), "Tue Sep 15 11:02:57 2026");
        assert_eq!(ansic("1970-01-01T00:00:00Z"), "Thu Jan  1 00:00:00 1970");
        assert_eq!(ansic("today"), "today");
    }

    fn client() -> Vec<(&'static str, String)> {
        let of = |name, value: &str| (name, value.to_owned());
        vec![
            of("Version", "0.1.0"),
            of("ApiVersion", "1.43"),
            of("DefaultAPIVersion", "1.51"),
            of("Os", "linux"),
            of("Arch", "amd64"),
            of("Context", "default"),
        ]
    }

    #[test]
    fn text_is_in_dockers_shape() {
        let server: Version = serde_json::from_str(
            r#"{"Platform":{"Name":""},"Components":[{"Name":"Engine","Version":"0.1.0","Details":{"ApiVersion":"1.51",
            "MinAPIVersion":"1.24","Os":"linux","Arch":"amd64","Experimental":"false","GitCommit":"abc"}}],"Version":"0.1.0",
            "ApiVersion":"1.51","GitCommit":"","GoVersion":"","Os":"linux","Arch":"amd64"}"#,
        )
        .expect("version");
        let expected = "Client: Naru
 Version:           0.1.0
 API version:       1.43 (downgraded from 1.51)
 OS/Arch:           linux/amd64
 Context:           default

Server:
 Engine:
  Version:          0.1.0
  API version:      1.51 (minimum version 1.24)
  Git commit:       abc
  OS/Arch:          linux/amd64
  Experimental:     false
";
        let shown = align(&text(&client(), Some(&server)), Columns { min_width: 20, padding: 1 });
        assert_eq!(shown, expected);
    }

    #[test]
    fn scripts_ask_for_the_servers_version() {
        let server = Version { version: "9".into(), api_version: "1.51".into(), ..Version::default() };
        let show = |text: &str| match Show::parse(text) {
            Ok(Show::Template(template)) => {
                let value = value(&client(), Some(&server)).map_err(|failure| failure.text)?;
                template.execute(&value).map_err(|why| why.to_string())
            }
            _ => Err("not a template".to_owned()),
        };
        let shown =
            show("{{.Server.Version}} {{.Server.APIVersion}} {{.Client.APIVersion}}[{{.Client.GoVersion}}]");
        assert_eq!(shown.as_deref(), Ok("9 1.51 1.43[]"));
        let why = "template: version:1:2: executing \"version\" at <.Foo>: \
                   can't evaluate field Foo in type system.versionInfo";
        assert_eq!(show("{{.Foo}}"), Err(why.to_owned()));
    }
}
