//! Connections with TLS (`rediss://`).

use std::fs;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tradovate_auth_session::StoreErrorKind::Unreachable;
use tradovate_auth_store_redis::RedisStore;

use crate::party::{Form, assert_says, patient_store};
use crate::server::Server;

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a name, and its private key.
    fn certificate(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let parameters = CertificateParams::new([name.to_owned()]).unwrap();
        (parameters.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }

    fn serve(&self, asks_clients: bool) -> Server {
        Server::start_with(|directory: &Path| {
            let (certificate, key) = self.certificate("localhost");
            let file = |name: &str, content: &str| {
                fs::write(directory.join(name), content).unwrap();
                name.to_owned()
            };
            let mut arguments = vec!["--tls-port".into(), "PORT".into()];
            arguments.extend(["--tls-cert-file".into(), file("server.pem", &certificate)]);
            arguments.extend(["--tls-key-file".into(), file("server.key", &key)]);
            arguments.extend(["--tls-ca-cert-file".into(), file("authority.pem", &self.pem())]);
            arguments.extend(["--tls-auth-clients".into(), if asks_clients { "yes" } else { "no" }.into()]);
            arguments
        })
    }
}

fn store(server: &Server) -> RedisStore {
    patient_store(&format!("rediss://localhost:{}/", server.port()))
}

pub(crate) fn a_server_with_a_certificate_of_the_given_authority_is_trusted(form: Form) {
    let authority = Authority::new("one");
    let server = authority.serve(false);
    let party = form.party_of(store(&server).root_certificates(authority.pem().as_bytes()).unwrap());
    let revision = party.saved(1, None);
    assert_eq!(party.found(), Some((revision, 1)));
    party.changed(None, std::time::Duration::from_secs(60)).unwrap();
}

pub(crate) fn a_server_with_a_certificate_of_another_authority_is_not_trusted(form: Form) {
    let server = Authority::new("one").serve(false);
    let other = Authority::new("other");
    let party = form.party_of(store(&server).root_certificates(other.pem().as_bytes()).unwrap());
    let error = party.load().unwrap_err();
    assert_says(&error, Unreachable, "can't be reached");
    assert_says(&error, Unreachable, "certificate");
}

pub(crate) fn a_client_shows_its_certificate(form: Form) {
    let authority = Authority::new("one");
    let server = authority.serve(true);
    let (certificate, key) = authority.certificate("client");
    let without = store(&server).root_certificates(authority.pem().as_bytes()).unwrap();
    form.party_of(without.clone()).load().unwrap_err();
    let with = without.client_certificate(certificate.as_bytes(), key.as_bytes()).unwrap();
    form.party_of(with).saved(1, None);
}
