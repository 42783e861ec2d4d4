//! Whom we believe: the system's authorities, those that the person names, and Mozilla's where the
//! system has none.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// `Err` says what cannot be read. `SSL_CERT_FILE` and `SSL_CERT_DIR` stand for the system's.
pub fn client_config(authorities: &[PathBuf]) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    // One that cannot be read among many does no harm.
    let (taken, _) = roots.add_parsable_certificates(system.certs);
    if taken == 0 {
        let named = ["SSL_CERT_FILE", "SSL_CERT_DIR"]
            .into_iter()
            .find(|name| std::env::var_os(name).is_some());
        if let Some(name) = named {
            return Err(format!(
                "no certificate can be read from where {name} says: correct it, or unset it, and start the daemon again"
            ));
        }
        tracing::warn!("this system has no certificates of authorities: Mozilla's are taken");
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for path in authorities {
        add(&mut roots, path)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be used ({error})"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

fn add(roots: &mut RootCertStore, path: &Path) -> Result<(), String> {
    let wrong = |reason: &dyn std::fmt::Display| {
        format!(
            "the certificates in {} cannot be used ({reason})",
            path.display()
        )
    };
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))?;
    let before = roots.len();
    for certificate in certificates {
        let certificate = certificate.map_err(|error| wrong(&error))?;
        roots.add(certificate).map_err(|error| wrong(&error))?;
    }
    if roots.len() == before {
        return Err(wrong(&"there is none in PEM form"));
    }
    Ok(())
}
