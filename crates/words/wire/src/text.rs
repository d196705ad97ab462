//! Texts of Docker that scripts and clients match on. They are interface: a change here is a change of the API.

/// The message of an unknown path, or of a known one with another method.
pub const PAGE_NOT_FOUND: &str = "page not found";

/// Returns the message of a client that is too new.
pub fn client_too_new(version: &str, maximum: &str) -> String {
    format!("client version {version} is too new. Maximum supported API version is {maximum}")
}

/// Returns the message of a client that is too old.
pub fn client_too_old(version: &str, minimum: &str) -> String {
    format!(
        "client version {version} is too old. Minimum supported API version is {minimum}, please upgrade your client to a newer version"
    )
}

/// Returns the message of a container that does not exist. The docker CLI looks for `No such container`.
pub fn no_such_container(name: &str) -> String {
    format!("No such container: {name}")
}

/// Returns the message of an image that does not exist.
pub fn no_such_image(reference: &str) -> String {
    format!("No such image: {reference}")
}

/// Returns the message of an exec that does not exist.
pub fn no_such_exec(id: &str) -> String {
    format!("No such exec instance: {id}")
}

/// Returns the message of a network that does not exist.
pub fn no_such_network(name: &str) -> String {
    format!("network {name} not found")
}

/// Returns the message of a volume that does not exist.
pub fn no_such_volume(name: &str) -> String {
    format!("get {name}: no such volume")
}

/// Returns the message of a plugin that does not exist.
pub fn no_such_plugin(name: &str) -> String {
    format!("plugin \"{name}\" not found")
}

/// Returns the message of an unknown filter.
pub fn invalid_filter(name: &str) -> String {
    format!("invalid filter '{name}'")
}

/// Returns the message of a filter with a bad value.
pub fn invalid_filter_value(name: &str, value: &str) -> String {
    format!("invalid filter '{name}={value}'")
}

/// The message of a `filters` parameter that is not JSON of the right shape.
pub const INVALID_FILTERS: &str = "invalid filter";

/// The message of swarm requests to an engine that is in no swarm.
pub const NOT_A_SWARM_MANAGER: &str = "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to swarm and try again.";

/// The message of a log request without a stream.
pub const NO_LOG_STREAM: &str = "Bad parameters: you must choose at least one stream";

/// The message of a create request without a configuration.
pub const EMPTY_CONFIG: &str = "config cannot be empty in order to create a container";

/// The message of a create request without a program, and without an image that names one.
pub const NO_COMMAND: &str = "no command specified";

/// The message of an exec request without a program.
pub const NO_EXEC_COMMAND: &str = "No exec command specified";

/// The message of a body that ends in the middle.
pub const UNEXPECTED_EOF: &str = "invalid JSON: unexpected EOF";

/// The message of a request without the body that it needs.
pub const MISSING_BODY: &str = "invalid JSON: got EOF while reading request body";

/// The message of a body with something behind its JSON.
pub const TRAILING_CONTENT: &str = "unexpected content after JSON";

/// Returns the message of a body of another media type.
pub fn unsupported_content_type(given: &str) -> String {
    format!("unsupported Content-Type header ({given}): must be 'application/json'")
}

/// Returns the message of a wait condition that does not exist.
pub fn invalid_wait_condition(condition: &str) -> String {
    format!("invalid condition: \"{condition}\"")
}

/// Returns the message of detach keys that cannot be read.
pub fn invalid_detach_keys(keys: &str) -> String {
    format!("Invalid detach keys ({keys}) provided")
}

/// The message of a limit of memory that is too low.
pub const MEMORY_TOO_LOW: &str = "Minimum memory limit allowed is 6MB";
