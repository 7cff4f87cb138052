//! The dresses in which the same files are found.

use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use serde_json::{Value, json};

use super::Files;

/// A Secret as `kubectl get secret -o json` has it.
pub fn secret(name: &str, kind: &str, files: &Files) -> Value {
    let data: serde_json::Map<String, Value> =
        files.iter().map(|(name, bytes)| (name.clone(), BASE64.encode(bytes).into())).collect();
    let namespace = if name.starts_with("linkerd") { "linkerd" } else { "istio-system" };
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": kind, "data": data,
        "metadata": {"name": name, "namespace": namespace, "resourceVersion": "4711", "annotations": {}},
    })
}

pub fn config_map(name: &str, files: &Files) -> Value {
    let data: serde_json::Map<String, Value> = files
        .iter()
        .map(|(name, bytes)| (name.clone(), String::from_utf8(bytes.clone()).unwrap().into()))
        .collect();
    json!({"apiVersion": "v1", "kind": "ConfigMap", "data": data, "metadata": {"name": name, "namespace": "linkerd"}})
}

/// The same in YAML, as kubectl orders it. JSON strings are YAML strings.
pub fn yaml(object: &Value) -> String {
    let mut out = String::from("apiVersion: v1\ndata:\n");
    for (key, value) in object["data"].as_object().unwrap() {
        match value.as_str().unwrap() {
            text if text.contains('\n') => {
                out.push_str(&format!("  {key}: |{}\n", if text.ends_with('\n') { "" } else { "-" }));
                text.lines().for_each(|line| out.push_str(&format!("    {line}\n")));
            }
            text => out.push_str(&format!("  {key}: {text}\n")),
        }
    }
    let metadata = &object["metadata"];
    out.push_str(&format!(
        "kind: {}\nmetadata:\n  creationTimestamp: \"2026-11-22T10:00:00Z\"\n  name: {}\n  namespace: {}\n",
        object["kind"].as_str().unwrap(),
        metadata["name"].as_str().unwrap(),
        metadata["namespace"].as_str().unwrap()
    ));
    object["type"].as_str().into_iter().for_each(|kind| out.push_str(&format!("type: {kind}\n")));
    out
}

pub fn list(objects: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": objects, "metadata": {"resourceVersion": ""}})
        .to_string()
}

pub fn write(path: &Path, text: impl AsRef<[u8]>) -> PathBuf {
    std::fs::write(path, text).unwrap();
    path.to_path_buf()
}

pub fn folder(path: &Path, files: &Files) -> PathBuf {
    std::fs::create_dir(path).unwrap();
    files.iter().for_each(|(name, bytes)| std::fs::write(path.join(name), bytes).unwrap());
    path.to_path_buf()
}

/// As the kubelet does.
pub fn mounted(path: &Path, files: &Files) -> PathBuf {
    let day = "..2026_11_22_10_00_00.1234567890";
    std::fs::create_dir(path).unwrap();
    folder(&path.join(day), files);
    std::os::unix::fs::symlink(day, path.join("..data")).unwrap();
    for name in files.keys() {
        std::os::unix::fs::symlink(format!("..data/{name}"), path.join(name)).unwrap();
    }
    path.to_path_buf()
}

/// Each with its name; the first two are files.
pub fn all(dir: &Path, kind: &str, files: &Files) -> [(&'static str, PathBuf); 4] {
    let secret = secret("cacerts", kind, files);
    [
        ("folder", folder(&dir.join("folder"), files)),
        ("mount", mounted(&dir.join("mount"), files)),
        ("yaml", write(&dir.join("secret.yaml"), yaml(&secret))),
        ("json", write(&dir.join("list.json"), list(&[secret]))),
    ]
}
