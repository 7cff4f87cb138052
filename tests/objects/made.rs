//! Objects as kubectl prints them, around requests that OpenSSL made; and SSH keys.

use crate::appliance::Appliance;
use crate::support::run;

/// OpenSSL's request of a cluster, in PEM; its key stays in `keys/`.
pub fn csr(a: &Appliance, cluster: &str) -> String {
    std::fs::create_dir_all(a.path("keys")).unwrap();
    let (key, out) = (format!("keys/{cluster}.key"), format!("keys/{cluster}.csr"));
    let subject = format!("/O=Istio/L={cluster}/CN={cluster}-1");
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", &key];
    run(a.dir.path(), "openssl", &[&["req", "-new", "-subj", &subject, "-out", &out][..], &key[..]].concat());
    std::fs::read_to_string(a.path(&out)).unwrap()
}

pub fn base64(text: &str) -> String {
    data_encoding::BASE64.encode(text.as_bytes())
}

/// `kubectl get certificaterequest NAME-1 -o yaml`
pub fn in_cert_manager(csr: &str, name: &str) -> String {
    let request = base64(csr);
    format!(
        r#"apiVersion: cert-manager.io/v1
kind: CertificateRequest
metadata:
  annotations:
    cert-manager.io/certificate-name: {name}
    cert-manager.io/certificate-revision: "1"
    cert-manager.io/private-key-secret-name: {name}-9x7kq
  creationTimestamp: "2026-11-20T09:12:44Z"
  generation: 1
  labels: {{}}
  managedFields:
  - apiVersion: cert-manager.io/v1
    fieldsType: FieldsV1
    fieldsV1:
      f:status:
        f:conditions:
          .: {{}}
          k:{{"type":"Approved"}}:
            .: {{}}
            f:status: {{}}
    manager: cert-manager-certificaterequests-approver
    operation: Update
    subresource: status
    time: "2026-11-20T09:12:44Z"
  name: {name}-1
  namespace: istio-system
  ownerReferences:
  - apiVersion: cert-manager.io/v1
    blockOwnerDeletion: true
    controller: true
    kind: Certificate
    name: {name}
    uid: 3b9c5c5e-4c5f-4f5e-9a2e-0d9f0f4a9a77
  resourceVersion: "418812"
  uid: 0f6f7a34-1f0e-4f0b-8f5d-6b1f5d0a7e55
spec:
  duration: 1440h0m0s
  extra:
    authentication.kubernetes.io/credential-id:
    - JTI=0b1c
  groups:
  - system:serviceaccounts
  - system:authenticated
  isCA: true
  issuerRef:
    group: cert-manager.io
    kind: Issuer
    name: anchorite
  request: {request}
  uid: 6c1c2f8b-5a6d-4c0f-8a51-6f0d2f4f3d11
  usages:
  - cert sign
  - crl sign
  username: system:serviceaccount:cert-manager:cert-manager
status:
  conditions:
  - lastTransitionTime: "2026-11-20T09:12:44Z"
    message: Certificate request has been approved by cert-manager.io
    reason: cert-manager.io
    status: "True"
    type: Approved
  - lastTransitionTime: "2026-11-20T09:12:44Z"
    message: 'Referenced "Issuer" not found: issuer.cert-manager.io "anchorite" not found'
    reason: Pending
    status: "False"
    type: Ready
"#
    )
}

/// `kubectl get csr NAME -o yaml`, approved.
pub fn in_kubernetes(csr: &str, name: &str) -> String {
    let request = base64(csr);
    format!(
        r#"apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata:
  creationTimestamp: "2026-11-20T09:12:44Z"
  name: {name}
  resourceVersion: "418813"
  uid: 5d2d0c35-7a3b-4f0e-9a6c-1b7f7a1d2e66
spec:
  expirationSeconds: 2592000
  extra:
    authentication.kubernetes.io/credential-id:
    - X509SHA256=2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
  groups:
  - kubeadm:cluster-admins
  - system:authenticated
  request: {request}
  signerName: example.org/anchorite
  usages:
  - digital signature
  - cert sign
  - crl sign
  username: kubernetes-admin
status:
  conditions:
  - lastTransitionTime: "2026-11-20T09:13:02Z"
    lastUpdateTime: "2026-11-20T09:13:02Z"
    message: This CSR was approved by kubectl certificate approve.
    reason: KubectlApprove
    status: "True"
    type: Approved
"#
    )
}

/// `kubectl get … -o yaml` of several.
pub fn kubectl_list(objects: &[&str]) -> String {
    let mut out = String::from("apiVersion: v1\nitems:\n");
    for object in objects {
        for (number, line) in object.lines().enumerate() {
            out.push_str(if number == 0 { "- " } else { "  " });
            out.push_str(line);
            out.push('\n');
        }
    }
    out + "kind: List\nmetadata:\n  resourceVersion: \"\"\n"
}

/// Makes `NAME` and `NAME.pub`; the public key as the register has it.
pub fn ssh_key(a: &Appliance, name: &str, options: &[&str]) -> String {
    let comment = ["-q", "-N", "", "-C", "ops@example.org", "-f", name];
    run(a.dir.path(), "ssh-keygen", &[options, &comment[..]].concat());
    std::fs::read_to_string(a.path(&format!("{name}.pub"))).unwrap().trim().into()
}

/// Makes `FILE.sig`.
pub fn sign(a: &Appliance, key: &str, file: &str) {
    run(a.dir.path(), "ssh-keygen", &["-q", "-Y", "sign", "-n", "anchorite-request", "-f", key, file]);
}
