//! Whether an object is called what its consumer looks for, where it looks for it.

use super::fault::{ELSEWHERE, Faults, NOT_LOOKED_FOR};
use super::form::{Form, LINKERD_BUNDLE};
use super::object::{Kind, Object};
use crate::release::{Consumer, consumer};

pub(super) fn check(object: &Object, form: &Form, faults: &mut Faults<'_>) {
    let of = |consumer: Consumer| consumer.terms().assembled.as_ref().ok()?.secret;
    let secret = match (object.kind, form.consumer) {
        (Kind::Secret, Some(consumer)) => of(consumer),
        // Linkerd's roots lie beside its issuer.
        (Kind::ConfigMap, None) if form.trust == Some(LINKERD_BUNDLE) => of(Consumer::Linkerd),
        _ => return,
    };
    let Some(secret) = secret else { return };
    let elsewhere = object.namespace.as_deref().filter(|namespace| *namespace != secret.namespace);
    let wanted = format!("{}/{}", secret.namespace, secret.name);
    match (secret.naming, elsewhere) {
        (consumer::Naming::Fixed, Some(found)) => {
            faults.put(
                &ELSEWHERE,
                "",
                format!("the namespace {found}; {} looks in {}", form.name, secret.namespace),
            );
        }
        (consumer::Naming::Named, _) if !object.is_named(secret.name) => {
            faults.put(
                &NOT_LOOKED_FOR,
                "",
                format!("another name than {wanted}, which {} looks for", form.name),
            );
        }
        (consumer::Naming::Named, Some(found)) => {
            faults.put(
                &NOT_LOOKED_FOR,
                "",
                format!("the namespace {found}, where {wanted} is the usual place"),
            );
        }
        _ => {}
    }
}
