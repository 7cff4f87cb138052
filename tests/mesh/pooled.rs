//! Who is connected stays connected: a revocation is complete only after a drain.

use super::{Authority, Crl, Mesh, Trust};

#[test]
fn pooled_connections_survive_a_revocation_until_they_are_drained() {
    let root = Authority::root("Example Root G1");
    let [east, west] = ["east", "west"].map(|name| root.intermediate(name));
    let [e, w] = [&east, &west].map(|ca| ca.crl(&Crl::default()));
    let set = |crl: &Crl| Trust::new(&root.certificate, &[&root.crl(crl), &e, &w]);
    let before = set(&Crl::default());
    let mut mesh =
        Mesh::new(&[("east", &east.workload("east"), &before), ("west", &west.workload("west"), &before)]);
    assert_eq!(mesh.connect("west", "east"), Ok(()));
    assert_eq!(mesh.pooled("west", "east"), Ok(()));
    let after = set(&Crl::revoking(&[&west.serial()]));
    mesh.trust("east", &after);
    // What is new is refused, a session resumed included; what is old is used on.
    assert!(mesh.connect("west", "east").unwrap_err().contains("certificate revoked"));
    for _ in 0..3 {
        assert_eq!(mesh.pooled("west", "east"), Ok(()));
    }
    assert_eq!(mesh.pooled_connections("west", "east"), 1);
    mesh.restart("east");
    assert!(mesh.pooled("west", "east").unwrap_err().contains("certificate revoked"));
}
