//! Where a package can be fetched, as GetFunction shows it: an address of ours that works for ten minutes for whoever
//! has it, as AWS's addresses do.

use aws_lc_rs::hmac;
use base::clock::Moment;
use store::blobs::Digest;
use wire::Call;

use crate::Functions;

/// How long a location works, in milliseconds; as on AWS.
const WORKS_FOR: u64 = 600_000;

/// Makes and reads locations. They do not outlive the process.
pub(crate) struct Locations {
    key: hmac::Key,
}

impl Locations {
    /// With a key of its own.
    pub(crate) fn new() -> Locations {
        Locations { key: hmac::Key::new(hmac::HMAC_SHA256, &base::ids::random_bytes::<32>()) }
    }

    /// What follows `/_frontgate/code/` in the location of a package.
    fn make(&self, code: Digest, now: Moment) -> String {
        let signed = format!("{code}?expires={}", now.0.saturating_add(WORKS_FOR));
        let tag = hmac::sign(&self.key, signed.as_bytes());
        let signature: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{signed}&signature={signature}")
    }

    /// The package that a location of ours names, as long as it works.
    pub(crate) fn read(&self, page: &str, query: &str, now: Moment) -> Option<Digest> {
        let (expires, signature) = query.strip_prefix("expires=")?.split_once("&signature=")?;
        // A tag has as many bytes as a digest, and is written as one is.
        let tag: Digest = signature.parse().ok()?;
        hmac::verify(&self.key, format!("{page}?expires={expires}").as_bytes(), tag.as_bytes()).ok()?;
        (now.0 < expires.parse().ok()?).then_some(())?;
        page.parse().ok()
    }
}

impl Functions {
    /// `Location`: where the caller can fetch a package, under the name by which it has called us.
    pub(super) fn location(&self, call: &Call, code: Digest) -> String {
        let page = self.locations.make(code, self.engine.clock.now());
        // A call that came to another port (that of TLS) says nothing about names of this one.
        let own = self.engine.endpoint_url();
        let port = |address: &str| address.rsplit_once(':').map(|(_, port)| port.to_owned());
        match port(own) == port(&call.host) {
            true => format!("http://{}/_frontgate/code/{page}", call.host),
            false => format!("{own}/_frontgate/code/{page}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_works_for_ten_minutes_and_is_not_to_be_changed() {
        let (locations, code) = (Locations::new(), Digest::of(b"zip"));
        let location = locations.make(code, Moment(1000));
        let (page, query) = location.split_once('?').expect("it has a query");
        assert_eq!(locations.read(page, query, Moment(600_999)), Some(code));
        assert_eq!(locations.read(page, query, Moment(601_000)), None);
        let other = Digest::of(b"other").to_string();
        assert_eq!(locations.read(&other, query, Moment(1000)), None);
        for query in [query.replace("601000", "901000"), query.replace("signature=", "signature=0"), String::new()] {
            assert_eq!(locations.read(page, &query, Moment(1000)), None, "{query}");
        }
        assert_eq!(Locations::new().read(page, query, Moment(1000)), None);
    }
}
