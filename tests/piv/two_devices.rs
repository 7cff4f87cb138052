//! The sheet for two devices, with two YubiKeys and one slot to plug them in, one at a time.

use super::desk::PIN;
use crate::appliance::{Appliance, ran};
use crate::card_host::Host;
use crate::companion::Sheet;

#[test]
fn the_sheets_commands_run_with_two_yubikeys() {
    let (host, mut first) = Host::with_card(11_111_111, "5.7.4");
    let mut second = host.card(22_222_222, "5.7.4");
    let appliance = Appliance::empty(PIN);
    appliance.request("east");
    for folder in ["archive", "out-second"] {
        std::fs::create_dir(appliance.path(folder)).unwrap();
    }
    let sheet = Sheet {
        dir: appliance.dir.path().into(),
        first: "piv:9c?serial=11111111".into(),
        second: "piv:9c?serial=22222222".into(),
        create: "--touch-policy never",
    };
    let blocks = Sheet::blocks();
    let perform = |block: &str| ran(host.enter(&sheet.command(block)).output().unwrap());
    let [one, two, three, four, five, six] = &blocks[..] else { panic!("{} blocks", blocks.len()) };
    perform(one).code(0);
    // The sheet is kept to: with the first one still plugged in, the second home finds no token.
    perform(two).fails(3, "token.absent");
    std::fs::remove_dir_all(appliance.path("second")).unwrap();
    host.unplug(&mut first);
    host.plug(&mut second, 0);
    perform(two).code(0);
    // One device cannot be both.
    let both = "anchorite init /srv/third --token 'piv:9a?serial=22222222&journal=83'\n\
                anchorite root create --home /srv/third --subject CN=C --key p256 --ttl 20y \
                --second-device /srv/second/root.pem";
    perform(both).fails(1, "companion.same-token");
    host.unplug(&mut second);
    host.plug(&mut first, 0);
    for block in [three, four, five] {
        perform(block).code(0);
    }
    // The first device is lost.
    host.unplug(&mut first);
    perform(six).fails(3, "token.absent");
    host.plug(&mut second, 0);
    perform(six).code(0);
    assert_eq!((first.made("GENERATE"), second.made("GENERATE")), (2, 2));
    host.unplug(&mut second);
}
