//! The sheet that people hold in their hands says what works.

use std::path::{Path, PathBuf};
use std::process::Command;

use anchorite::release::pem;
use anchorite::x509::Digest;

use crate::appliance::{Appliance, module, ran};

/// The commands of ceremony/two-devices.md, block by block, with its places for real.
pub struct Sheet {
    pub dir: PathBuf,
    pub first: String,
    pub second: String,
    /// What a test adds to `root create`.
    pub create: &'static str,
}

impl Sheet {
    pub fn blocks() -> Vec<String> {
        let sheet = std::fs::read_to_string("ceremony/two-devices.md").unwrap();
        let blocks = sheet.split("```bash\n").skip(1);
        blocks.map(|rest| rest.split("```").next().unwrap().to_string()).collect()
    }

    /// As people run it, but that `--yes` and a file answer.
    pub fn command(&self, block: &str) -> Command {
        const ANSWERED: &str = r#"set -eu
            anchorite() {
                case "$1 $2" in
                    'init '*) command anchorite "$@" --unattended ;;
                    'root create') command anchorite "$@" $CREATE --yes --pin-file "$PIN" ;;
                    'root '* | 'policy pin' | 'sign '*) command anchorite "$@" --yes --pin-file "$PIN" ;;
                    *) command anchorite "$@" ;;
                esac
            }
        "#;
        let registered = "printf '[clusters.east]\\npolicy = \"istio\"\\n' >>/srv/first/clusters.toml";
        let block = block.replace("# edit /srv/first/clusters.toml and /srv/first/policies now", registered);
        let block = block.replace("/srv/", "\"$DIR\"/").replace("/media/", "\"$DIR\"/");
        let bin = Path::new(env!("CARGO_BIN_EXE_anchorite")).parent().unwrap();
        let root = |home: &str| {
            let pem = std::fs::read(self.dir.join(home).join("root.pem")).ok();
            pem.map(|pem| Digest::of(&pem::single(home, &pem).unwrap()).to_string()).unwrap_or_default()
        };
        let mut command = Command::new("bash");
        command.args(["-c", &format!("{ANSWERED}{block}")]).current_dir(&self.dir);
        command.env("DIR", &self.dir).env("PIN", self.dir.join("pin")).env("CREATE", self.create);
        command.env("FIRST", &self.first).env("SECOND", &self.second);
        command.env("FIRST_ROOT", root("first")).env("SECOND_ROOT", root("second"));
        command.env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()));
        command.env("SOFTHSM2_CONF", self.dir.join("hsm/softhsm2.conf")).env_remove("ANCHORITE_HOME");
        command
    }
}

#[test]
fn the_sheets_commands_run_as_they_stand() {
    let a = Appliance::bare();
    let uri = |label: &str| {
        a.init_token(label);
        format!("pkcs11:token={label}?module-path={}", module())
    };
    let (first, second) = (uri("first"), uri("second"));
    let sheet = Sheet { dir: a.dir.path().into(), first, second, create: "" };
    for folder in ["archive", "out-second"] {
        std::fs::create_dir(a.path(folder)).unwrap();
    }
    a.request("east");
    let blocks = Sheet::blocks();
    assert_eq!(blocks.len(), 6);
    for block in blocks {
        let ran = ran(sheet.command(&block).output().unwrap()).code(0);
        for line in ran.stdout.lines().filter(|line| line.starts_with("journal ok")) {
            assert!(ran.stdout.matches("\ncompanion ").count() == 2, "{line} in {}", ran.stdout);
        }
    }
}
