//! The request's configuration over the image's.

use crate::spec::Config;
use oci::image::ContainerConfig;

/// Returns the configuration that a container gets: what the request leaves open comes from the image.
pub(crate) fn merge(mut request: Config, image: &ContainerConfig) -> Config {
    let take = |value: &mut String, from: &str| {
        if value.is_empty() {
            *value = from.to_owned();
        }
    };
    take(&mut request.user, &image.user);
    take(&mut request.working_dir, &image.working_dir);
    take(&mut request.stop_signal, &image.stop_signal);
    if request.entrypoint.as_ref().is_none_or(Vec::is_empty) {
        if request.cmd.as_ref().is_none_or(Vec::is_empty) {
            request.cmd.clone_from(&image.cmd);
        }
        if request.entrypoint.is_none() {
            request.entrypoint.clone_from(&image.entrypoint);
        }
    }
    // `--entrypoint ""`: none at all.
    if request.entrypoint.as_ref().is_some_and(|words| words.is_empty() || words[..] == [""]) {
        request.entrypoint = None;
    }
    if request.shell.is_none() {
        request.shell.clone_from(&image.shell);
    }
    let name_of = |entry: &String| entry.split('=').next().unwrap_or_default().to_owned();
    let known: Vec<String> = request.env.iter().map(name_of).collect();
    // An entry without a value would copy one from elsewhere (CVE-2026-57231): it is none.
    let of_image =
        image.env.iter().flatten().filter(|entry| entry.contains('=') && !known.contains(&name_of(entry)));
    request.env.extend(of_image.cloned());
    for (name, value) in image.labels.iter().flatten() {
        request.labels.entry(name.clone()).or_insert_with(|| value.clone());
    }
    request.exposed_ports.extend(image.exposed_ports.iter().flatten().map(|(port, _)| port.clone()));
    request.exposed_ports.sort();
    request.exposed_ports.dedup();
    request.volumes.extend(image.volumes.iter().flatten().map(|(path, _)| path.clone()));
    request.volumes.sort();
    request.volumes.dedup();
    request.health = crate::health::merge(request.health, image.healthcheck.as_ref());
    request
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::create::command;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn image(entrypoint: Option<&str>, cmd: Option<&str>) -> ContainerConfig {
        ContainerConfig {
            entrypoint: entrypoint.map(words),
            cmd: cmd.map(words),
            ..ContainerConfig::default()
        }
    }

    #[test]
    fn command_follows_dockers_rules_of_entrypoint_and_cmd() {
        let none = None::<Vec<String>>;
        let cases = [
            (none.clone(), none.clone(), image(None, Some("sh")), Some("sh")),
            (none.clone(), Some(words("ls -l")), image(None, Some("sh")), Some("ls -l")),
            (none.clone(), Some(words("x")), image(Some("/entry -a"), Some("sh")), Some("/entry -a x")),
            (none.clone(), none.clone(), image(Some("/entry"), Some("sh")), Some("/entry sh")),
            (Some(words("/own")), none.clone(), image(Some("/entry"), Some("sh")), Some("/own")),
            (Some(vec![]), none.clone(), image(Some("/entry"), Some("sh")), Some("sh")),
            (Some(vec![String::new()]), Some(words("x")), image(Some("/entry"), Some("sh")), Some("x")),
            (Some(vec![String::new()]), none.clone(), image(Some("/entry"), Some("sh")), None),
            (none.clone(), none, image(None, None), None),
        ];
        for (entrypoint, cmd, image, expected) in cases {
            let text = format!("{entrypoint:?} {cmd:?} {image:?}");
            let config = merge(Config { entrypoint, cmd, ..Config::default() }, &image);
            assert_eq!(command(&config).ok(), expected.map(words), "{text}");
        }
    }

    #[test]
    fn request_wins_over_the_image_and_lists_are_joined() {
        let image = ContainerConfig {
            user: "web".into(),
            working_dir: "/srv".into(),
            stop_signal: "SIGQUIT".into(),
            env: Some(vec!["PATH=/bin".into(), "A=image".into(), "BROKEN".into()]),
            labels: Some([("a".to_owned(), "image".to_owned()), ("b".to_owned(), "image".to_owned())].into()),
            ..ContainerConfig::default()
        };
        let request = Config {
            user: "root".into(),
            env: vec!["A=request".into()],
            labels: [("a".to_owned(), "request".to_owned())].into(),
            ..Config::default()
        };
        let merged = merge(request, &image);
        assert_eq!(
            (merged.user.as_str(), merged.working_dir.as_str(), merged.stop_signal.as_str()),
            ("root", "/srv", "SIGQUIT")
        );
        assert_eq!(merged.env, ["A=request", "PATH=/bin"]);
        let labels: Vec<_> =
            merged.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(labels, [("a", "request"), ("b", "image")]);
    }
}
