//! From one root to another, cluster by cluster, without one refused connection.

use super::{Authority, Crl, Identity, Mesh, Trust};

const NAMES: [&str; 2] = ["east", "west"];

/// Each step at each cluster, everybody connecting to everybody in between: first the CRLs of
/// what will be used, then old → old+new, then the new intermediates, then new alone.
#[test]
fn clusters_at_different_stages_understand_each_other() {
    let [old, new] = ["G1", "G2"].map(|g| Authority::root(&format!("Example Root {g}")));
    let before = NAMES.map(|name| old.intermediate(name));
    let after = NAMES.map(|name| new.intermediate(&format!("{name}-2")));
    let list =
        |authorities: &[&Authority]| authorities.iter().map(|a| a.crl(&Crl::default())).collect::<String>();
    let crl_before = list(&[&old, &before[0], &before[1]]);
    let crl = format!("{crl_before}{}", list(&[&new, &after[0], &after[1]]));
    let both = format!("{}{}", old.certificate, new.certificate);
    let identities = |authorities: &[Authority; 2]| [0, 1].map(|n| authorities[n].workload(NAMES[n]));
    let (first, last) = (identities(&before), identities(&after));
    let start = Trust { bundle: old.certificate.clone(), crl: crl_before };
    let mut mesh = Mesh::new(&[("east", &first[0], &start), ("west", &first[1], &start)]);
    mesh.all_connect();
    let trusts = [old.certificate.clone(), both].map(|bundle| Trust { bundle, crl: crl.clone() });
    for trust in &trusts {
        everywhere(&mut mesh, |mesh, name| mesh.trust(name, trust));
    }
    let identity = |mesh: &mut Mesh, identities: &[Identity; 2]| {
        everywhere(mesh, |mesh, name| {
            mesh.identity(name, &identities[usize::from(name == "west")]);
        });
    };
    identity(&mut mesh, &last);
    // The way back, and there again.
    identity(&mut mesh, &first);
    identity(&mut mesh, &last);
    let end = Trust { bundle: new.certificate.clone(), crl };
    everywhere(&mut mesh, |mesh, name| mesh.trust(name, &end));
    // The old root is gone for good.
    mesh.identity("east", &first[0]);
    mesh.all_connect_but(&[("east", "west")], "west refuses east");
}

fn everywhere(mesh: &mut Mesh, mut step: impl FnMut(&mut Mesh, &str)) {
    for name in NAMES {
        step(mesh, name);
        mesh.all_connect();
    }
}
