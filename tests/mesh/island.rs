//! Straight from the assembled bundles: what `assemble` wrote for istiod is what the workloads'
//! certificates are signed with and what the proxies trust.

use std::fs;

use super::{Authority, Identity, Mesh, Trust};
use crate::appliance::Appliance;

/// A root of its own, and these clusters under it, assembled.
fn fleet(clusters: &[&str]) -> Appliance {
    let fleet = Appliance::with_root("p256");
    clusters.iter().for_each(|cluster| fleet.request(cluster));
    fleet.sign(&["--policy", "istio"]).code(0);
    for cluster in clusters {
        let [bundle, key, out] =
            [fleet.release().join(cluster), fleet.path(&format!("keys/{cluster}.key")), fleet.path(cluster)]
                .map(|path| path.to_str().unwrap().to_string());
        let args = ["assemble", "--bundle", &bundle, "--key", &key, "--out", &out, "--crl"];
        fleet.run(&[&args[..], &["--root-sha256", &fleet.root_sha256]].concat()).code(0);
    }
    fleet
}

/// A workload of the cluster and what its proxy trusts, of the files that istiod loads.
fn loaded(fleet: &Appliance, cluster: &str) -> (Identity, Trust) {
    let read = |name: &str| fs::read_to_string(fleet.path(cluster).join(name)).unwrap();
    let istiod = Authority::existing(&read("ca-cert.pem"), &read("ca-key.pem"), &read("cert-chain.pem"));
    (istiod.workload(cluster), Trust { bundle: read("root-cert.pem"), crl: read("ca-crl.pem") })
}

#[test]
fn clusters_under_one_root_speak_and_the_wrong_island_is_refused() {
    let (ours, theirs) = (fleet(&["east", "west"]), fleet(&["island"]));
    let [east, west, island] =
        [(&ours, "east"), (&ours, "west"), (&theirs, "island")].map(|(fleet, name)| loaded(fleet, name));
    let mesh = Mesh::new(&[
        ("east", &east.0, &east.1),
        ("west", &west.0, &west.1),
        ("island", &island.0, &island.1),
    ]);
    let strangers = [("east", "island"), ("west", "island")];
    mesh.all_connect_but(&strangers, "certificate in certificate chain");
}
