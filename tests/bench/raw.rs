//! The bare token: C_Sign in a loop, in a process of its own since SoftHSM's
//! configuration is a variable of the environment.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass};
use cryptoki::session::UserType;
use secrecy::SecretString;

use crate::rig::{Rig, Root, module};

/// What its process is told by: sessions, signatures.
pub const ORDER: &str = "--raw";
const PIN: &str = "BENCH_PIN";

/// How long this many signatures of the root's key take in this many sessions, each
/// in a thread; opening, login and finding the key are not counted.
pub fn signatures(rig: &Rig, root: &Root, sessions: usize, count: usize) -> Duration {
    let order = format!("{},{sessions},{count}", root.key);
    let this = std::env::current_exe().unwrap();
    let mut command = rig.command(this.to_str().unwrap());
    let out = command.args([ORDER, &order]).env(PIN, rig.pin()).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    Duration::from_secs_f64(String::from_utf8(out.stdout).unwrap().trim().parse().unwrap())
}

/// The other side of [`signatures`].
pub fn serve(order: &str) {
    let [key, sessions, count] = order.split(',').collect::<Vec<_>>()[..] else { panic!("{order}") };
    let (sessions, count): (usize, usize) = (sessions.parse().unwrap(), count.parse().unwrap());
    let module = Pkcs11::new(module()).unwrap();
    module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
    let slot = module.get_slots_with_initialized_token().unwrap()[0];
    let first = module.open_ro_session(slot).unwrap();
    first.login(UserType::User, Some(&SecretString::from(std::env::var(PIN).unwrap()))).unwrap();
    let wanted = [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Label(b"root".to_vec())];
    let handle = first.find_objects(&wanted).unwrap()[0];
    let ready = Barrier::new(sessions + 1);
    let took = std::thread::scope(|scope| {
        for _ in 0..sessions {
            let session = module.open_ro_session(slot).unwrap();
            let ready = &ready;
            scope.spawn(move || {
                ready.wait();
                for number in 0..count / sessions {
                    let mut data = [0x5a; 48];
                    data[..8].copy_from_slice(&number.to_be_bytes());
                    let signed = match key {
                        "p256" => session.sign(&Mechanism::Ecdsa, handle, &data[..32]),
                        "p384" => session.sign(&Mechanism::Ecdsa, handle, &data),
                        _ => session.sign(&Mechanism::Sha256RsaPkcs, handle, &data),
                    };
                    signed.unwrap();
                }
                ready.wait();
            });
        }
        ready.wait();
        let start = Instant::now();
        ready.wait();
        start.elapsed()
    });
    println!("{}", took.as_secs_f64());
}
