//! A certificate authority for tests, servers with its certificates, and clients that trust it and resolve the vendor's
//! hosts to addresses of the test.

use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use tradovate_auth::Environment;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

use super::Transport;

pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// The TLS configuration of a server for these hosts.
    pub(crate) fn server(&self, hosts: &[&str]) -> Arc<ServerConfig> {
        self.server_until(hosts, 4096)
    }

    /// The same with a certificate that is valid until the end of this year.
    pub(crate) fn server_until(&self, hosts: &[&str], year: i32) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_after = date_time_ymd(year, 12, 31);
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
            .unwrap();
        Arc::new(config)
    }

    /// Both transports, which trust this authority and resolve each host to its address.
    pub(crate) fn transports(&self, environment: &Environment, hosts: &[(&str, SocketAddr)]) -> [Transport; 2] {
        let tls =
            TlsConfig::builder().root_certs(RootCerts::new_with_certs(&[Certificate::from_der(self.der()).to_owned()]));
        let config = ureq::Agent::config_builder().tls_config(tls.build()).build();
        let known = hosts.iter().map(|(host, address)| ((*host).to_owned(), *address)).collect();
        let agent = ureq::Agent::with_parts(config, DefaultConnector::default(), Known(known));
        let blocking = tradovate_auth::ureq::Client::new(environment.clone()).with_agent(agent);

        let certificate = reqwest::Certificate::from_der(self.der()).unwrap();
        let builder = reqwest::ClientBuilder::new().tls_certs_only([certificate]);
        let builder = hosts.iter().fold(builder, |builder, (host, address)| builder.resolve(host, *address));
        let asynchronous = tradovate_auth::reqwest::Client::with_builder(environment.clone(), builder).unwrap();

        [Transport::Ureq(blocking), Transport::Reqwest(asynchronous)]
    }

    pub(crate) fn der(&self) -> &[u8] {
        self.0.der()
    }
}

#[derive(Debug)]
struct Known(Vec<(String, SocketAddr)>);

impl Resolver for Known {
    fn resolve(
        &self,
        uri: &http::Uri,
        _: &ureq::config::Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().unwrap_or_default();
        let (_, address) = self.0.iter().find(|(known, _)| known == host).ok_or(ureq::Error::HostNotFound)?;
        let mut addresses = self.empty();
        addresses.push(*address);
        Ok(addresses)
    }
}
