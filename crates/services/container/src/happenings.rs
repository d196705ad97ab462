//! Events of containers.

use crate::context::Context;
use crate::view::ContainerView;
use events::Type;

/// Publishes an event of a container: labels, image and name, and what belongs to the action.
pub(crate) fn publish<const N: usize>(
    context: &Context,
    view: &ContainerView,
    action: &str,
    extra: [(&str, String); N],
) {
    let mut attributes = view.config.labels.clone();
    attributes.insert("image".to_owned(), view.config.image.clone());
    attributes.insert("name".to_owned(), view.name.clone());
    attributes.extend(extra.map(|(name, value)| (name.to_owned(), value)));
    context.publish(Type::Container, action, view.id.as_str(), attributes);
}
