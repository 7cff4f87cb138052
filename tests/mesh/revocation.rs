//! What proxies do with CRLs, and with the lack of them.

use super::{Authority, Crl, DAY, Mesh, Trust};

/// Three clusters beneath one root.
struct Fleet {
    root: Authority,
    east: Authority,
    west: Authority,
    north: Authority,
}

const NAMES: [&str; 3] = ["east", "west", "north"];

impl Fleet {
    fn new() -> Self {
        let root = Authority::root("Example Root G1");
        let [east, west, north] = NAMES.map(|name| root.intermediate(name));
        Self { root, east, west, north }
    }

    fn mesh(&self, trust: &Trust) -> Mesh {
        let [east, west, north] = [(&self.east, "east"), (&self.west, "west"), (&self.north, "north")]
            .map(|(ca, name)| ca.workload(name));
        Mesh::new(&[("east", &east, trust), ("west", &west, trust), ("north", &north, trust)])
    }

    /// The fleet's set: the root's CRL, one of every intermediate's, and more.
    fn set(&self, root: &Crl, more: &[&str]) -> Trust {
        let crls = [(&self.root, root), (&self.east, &Crl::default()), (&self.west, &Crl::default())];
        let mut crls: Vec<String> = crls.iter().map(|(ca, crl)| ca.crl(crl)).collect();
        crls.push(self.north.crl(&Crl::default()));
        crls.extend(more.iter().map(|crl| (*crl).to_string()));
        Trust { bundle: self.root.certificate.clone(), crl: crls.concat() }
    }
}

/// A root's CRL alone cuts everybody off, the whole set cuts off nobody, and one that has
/// expired cuts off everybody again, whoever is asked.
#[test]
fn the_whole_set_or_nobody() {
    let fleet = Fleet::new();
    let root_alone = Trust::new(&fleet.root.certificate, &[&fleet.root.crl(&Crl::default())]);
    let mut mesh = fleet.mesh(&root_alone);
    let everybody = [("east", "west"), ("east", "north"), ("west", "north")];
    mesh.all_connect_but(&everybody, "unable to get certificate CRL");
    let whole = fleet.set(&Crl::default(), &[]);
    for name in NAMES {
        mesh.trust(name, &whole);
    }
    mesh.all_connect();
    let expired = fleet.set(&Crl { from: -30 * DAY, until: -60, ..Crl::default() }, &[]);
    mesh.trust("east", &expired);
    mesh.all_connect_but(&[("east", "west"), ("east", "north")], "CRL has expired");
    mesh.trust("east", &whole);
    mesh.all_connect();
}

/// The revoked cluster is refused by whoever has the new set, everybody else goes on, and the
/// cluster comes back with a new intermediate once its CRL is everywhere.
#[test]
fn a_revoked_intermediate_is_refused_and_nobody_else() {
    let fleet = Fleet::new();
    let mut mesh = fleet.mesh(&fleet.set(&Crl::default(), &[]));
    mesh.all_connect();
    let west_again = fleet.root.intermediate("west-2");
    let revoked = Crl::revoking(&[&fleet.west.serial()]);
    let west_is_out = fleet.set(&revoked, &[]);
    mesh.trust("east", &west_is_out);
    mesh.all_connect_but(&[("east", "west")], "certificate revoked");
    mesh.trust("north", &west_is_out);
    mesh.all_connect_but(&[("east", "west"), ("north", "west")], "certificate revoked");
    // Used before its CRL has arrived, the new one is refused as well.
    mesh.identity("west", &west_again.workload("west"));
    mesh.all_connect_but(&[("east", "west"), ("north", "west")], "unable to get certificate CRL");
    let west_is_back = fleet.set(&revoked, &[&west_again.crl(&Crl::default())]);
    mesh.trust("east", &west_is_back);
    mesh.all_connect_but(&[("north", "west")], "unable to get certificate CRL");
    mesh.trust("north", &west_is_back);
    mesh.trust("west", &west_is_back);
    mesh.all_connect();
}

#[test]
fn another_island_is_refused() {
    let fleet = Fleet::new();
    let island = Authority::root("Island Root");
    let stranger = island.intermediate("island");
    let ours = fleet.set(&Crl::default(), &[]);
    let theirs = Trust::new(&island.certificate, &[]);
    // It trusts us, we do not trust it; then each its own.
    let both = Trust::new(&format!("{}{}", island.certificate, fleet.root.certificate), &[]);
    let mut mesh = Mesh::new(&[
        ("east", &fleet.east.workload("east"), &ours),
        ("island", &stranger.workload("island"), &both),
    ]);
    mesh.all_connect_but(&[("east", "island")], "east refuses island");
    mesh.trust("island", &theirs);
    mesh.all_connect_but(&[("east", "island")], "self signed certificate in certificate chain");
}
