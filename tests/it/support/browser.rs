//! A simple browser: it keeps cookies and does not follow redirects by itself.

use std::collections::BTreeMap;
use std::time::Duration;

use http::{Request, Response};
use ureq::Agent;

pub(crate) struct Browser {
    pub(crate) agent: Agent,
    /// The base URL of the paths; empty if the paths are URLs.
    pub(crate) site: String,
    pub(crate) cookies: BTreeMap<String, String>,
}

/// A response to a browser.
#[derive(Debug)]
pub(crate) struct Page(Response<String>);

impl Browser {
    pub(crate) fn at(site: &str) -> Self {
        let config = Agent::config_builder().http_status_as_error(false).max_redirects(0).proxy(None);
        // The server may close an idle connection just when it is used again.
        let config = config.max_idle_connections(0);
        // Without a timeout, a defect of the program would block the test.
        let agent = config.max_redirects_will_error(false).timeout_global(Some(Duration::from_secs(60))).build().into();
        Self { agent, site: site.to_owned(), cookies: BTreeMap::new() }
    }

    pub(crate) fn get(&mut self, path: &str) -> Page {
        self.send("GET", path, &[])
    }

    pub(crate) fn post(&mut self, path: &str, headers: &[(&str, &str)]) -> Page {
        self.send("POST", path, headers)
    }

    pub(crate) fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) -> Page {
        let cookies = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.site));
        request = request.header("cookie", cookies.join("; "));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, mut body) = self.agent.run(request.body(()).unwrap()).unwrap().into_parts();
        let page = Page(Response::from_parts(parts, body.read_to_string().unwrap()));
        for cookie in page.set_cookies() {
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            if cookie.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        page
    }
}

impl Page {
    pub(crate) fn status(&self) -> u16 {
        self.0.status().as_u16()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.0.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn set_cookies(&self) -> Vec<&str> {
        self.0.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect()
    }

    pub(crate) fn text(&self) -> &str {
        self.0.body()
    }

    #[track_caller]
    pub(crate) fn says<const N: usize>(&self, status: u16, texts: [&str; N]) {
        let is_said = texts.iter().all(|text| self.text().contains(text));
        assert!(self.status() == status && is_said, "{texts:?}: {} {}", self.status(), self.text());
    }

    #[track_caller]
    pub(crate) fn leads_to(&self, location: &str) {
        assert_eq!((self.status(), self.header("location")), (303, location), "{}", self.text());
    }
}
