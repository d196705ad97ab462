//! Talking to one endpoint about one repository: authentication, redirections, answers.

use crate::answer;
use crate::challenge::{self, Challenge};
use crate::credentials::Credentials;
use crate::endpoint::{Certificates, Endpoint, Role};
use crate::error::{Answer, Error, What, reason_of};
use bytes::Bytes;
use refs::{Digest, Reference, Secret};
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RANGE, WWW_AUTHENTICATE,
};
use reqwest::{Method, Response, StatusCode, Url};
use serde::Deserialize;
use std::sync::{Mutex, PoisonError};

const MAX_REDIRECTIONS: usize = 10;
const MAX_ERROR_BYTES: u64 = 64 << 10;
const MAX_TOKEN_BYTES: u64 = 1 << 20;
const CLIENT_ID: &str = "naru";

/// Talks to one endpoint about one repository.
pub(crate) struct Session {
    client: reqwest::Client,
    pub(crate) endpoint: Endpoint,
    pub(crate) reference: Reference,
    credentials: Option<Credentials>,
    /// What the last successful request proved itself with.
    authorization: Mutex<Option<Secret<String>>>,
}

struct Request<'a> {
    method: Method,
    url: Url,
    accept: &'a [&'a str],
    from: u64,
    authorization: Option<&'a Secret<String>>,
    form: Option<String>,
}

impl Session {
    pub(crate) fn new(
        client: reqwest::Client,
        endpoint: Endpoint,
        reference: Reference,
        credentials: Option<Credentials>,
    ) -> Self {
        let credentials = credentials.filter(|_| endpoint.role == Role::Home);
        let authorization = match &credentials {
            Some(Credentials::Bearer(token)) => Some(Secret::new(format!("Bearer {}", token.expose()))),
            _ => None,
        };
        Self { client, endpoint, reference, credentials, authorization: Mutex::new(authorization) }
    }

    /// The registry's name for texts.
    pub(crate) fn registry(&self) -> String {
        self.endpoint.host()
    }

    /// Asks for a manifest by tag or digest.
    pub(crate) async fn manifest(&self, name: &str, accept: &[&str]) -> Result<Response, Error> {
        self.get(self.url(&format!("manifests/{name}"))?, accept, 0, What::Manifest).await
    }

    /// Asks for a blob from byte `from` on.
    pub(crate) async fn blob(&self, digest: &Digest, from: u64) -> Result<Response, Error> {
        self.get(self.url(&format!("blobs/{digest}"))?, &[], from, What::Blob(digest)).await
    }

    /// Asks for one page of tags.
    pub(crate) async fn tags(&self, page: &str) -> Result<Response, Error> {
        self.get(self.url(page)?, &[], 0, What::Tags).await
    }

    pub(crate) fn url(&self, rest: &str) -> Result<Url, Error> {
        let path = format!("v2/{}/{rest}", self.reference.path());
        self.endpoint.base.join(&path).map_err(|_| Error::Malformed { what: "address", reason: path })
    }

    async fn get(&self, url: Url, accept: &[&str], from: u64, what: What<'_>) -> Result<Response, Error> {
        let known = self.authorization();
        let request = |authorization| Request {
            method: Method::GET,
            url: url.clone(),
            accept,
            from,
            authorization,
            form: None,
        };
        let response = self.follow(request(known.as_ref())).await?;
        let is_ours = response.url().origin() == self.endpoint.base.origin();
        if response.status() != StatusCode::UNAUTHORIZED || !is_ours {
            return self.check(response, what).await;
        }
        let Some(challenge) = challenge_of(&response) else { return self.check(response, what).await };
        let Some(authorization) = self.answer(&challenge).await? else {
            return self.check(response, what).await;
        };
        let response = self.follow(request(Some(&authorization))).await?;
        let response = self.check(response, what).await?;
        *self.authorization.lock().unwrap_or_else(PoisonError::into_inner) = Some(authorization);
        Ok(response)
    }

    /// Sends a request with a body that can be sent again, and meets a challenge. Redirections are not followed.
    pub(crate) async fn send(
        &self,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: Bytes,
        what: What<'_>,
    ) -> Result<Response, Error> {
        let is_ours = url.origin() == self.endpoint.base.origin();
        let once = async |authorization: Option<&Secret<String>>| {
            let mut headers = headers.clone();
            if let Some(authorization) = authorization {
                headers.insert(AUTHORIZATION, sensitive(authorization)?);
            }
            let sending = self.client.request(method.clone(), url.clone()).headers(headers);
            sending.body(body.clone()).send().await.map_err(|error| self.failed(&url, error))
        };
        let known = self.authorization().filter(|_| is_ours);
        let response = once(known.as_ref()).await?;
        if response.status() != StatusCode::UNAUTHORIZED || !is_ours {
            return self.check(response, what).await;
        }
        let Some(challenge) = challenge_of(&response) else { return self.check(response, what).await };
        let Some(authorization) = self.answer(&challenge).await? else {
            return self.check(response, what).await;
        };
        let response = once(Some(&authorization)).await?;
        let response = self.check(response, what).await?;
        *self.authorization.lock().unwrap_or_else(PoisonError::into_inner) = Some(authorization);
        Ok(response)
    }

    fn authorization(&self) -> Option<Secret<String>> {
        self.authorization.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends a request and follows redirections. Only the origin that was asked first sees the authorization.
    async fn follow(&self, request: Request<'_>) -> Result<Response, Error> {
        let home = request.url.origin();
        let mut url = request.url.clone();
        for _ in 0..=MAX_REDIRECTIONS {
            let mut headers = HeaderMap::new();
            for accept in request.accept {
                headers.append(ACCEPT, HeaderValue::from_str(accept).expect("media types are plain text"));
            }
            if request.from > 0 {
                headers.insert(
                    RANGE,
                    HeaderValue::from_str(&format!("bytes={}-", request.from)).expect("digits"),
                );
            }
            if let Some(authorization) = request.authorization
                && url.origin() == home
            {
                headers.insert(AUTHORIZATION, sensitive(authorization)?);
            }
            let mut sending = self.client.request(request.method.clone(), url.clone());
            if let Some(form) = &request.form {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
                sending = sending.body(form.clone());
            }
            let response = sending.headers(headers).send().await.map_err(|error| self.failed(&url, error))?;
            // A redirected form would carry a token to wherever the answer points.
            if !is_redirection(response.status()) || request.form.is_some() {
                return Ok(response);
            }
            url = self.target(&url, &response)?;
        }
        Err(self.redirect("in circles"))
    }

    fn target(&self, from: &Url, response: &Response) -> Result<Url, Error> {
        let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
        let target = location.and_then(|location| from.join(location).ok());
        let target = target.ok_or_else(|| self.redirect("to no address"))?;
        match target.scheme() {
            "https" => Ok(target),
            "http" if from.scheme() == "http" || self.endpoint.certificates == Certificates::Any => {
                Ok(target)
            }
            "http" => Err(self.redirect("from https to http")),
            _ => Err(self.redirect("to something else than http")),
        }
    }

    fn redirect(&self, reason: &'static str) -> Error {
        Error::Redirect { registry: self.registry(), reason }
    }

    fn failed(&self, url: &Url, error: reqwest::Error) -> Error {
        let host = url.host_str().unwrap_or_default();
        let registry = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let reason = if error.is_timeout() { "no answer in time".to_owned() } else { reason_of(&error) };
        if error.is_connect() {
            Error::Unreachable { registry, reason }
        } else {
            Error::Interrupted { registry, reason }
        }
    }

    /// Says that the body of an answer broke off.
    pub(crate) fn broken(&self, error: &reqwest::Error) -> Error {
        let reason = if error.is_timeout() { "no data in time".to_owned() } else { reason_of(error) };
        Error::Interrupted { registry: self.registry(), reason }
    }

    /// Turns an answer that is no success into an error.
    async fn check(&self, response: Response, what: What<'_>) -> Result<Response, Error> {
        if response.status().is_success() {
            return Ok(response);
        }
        let refused = challenge_of(&response);
        let answer = self.read_answer(response).await;
        if answer.status == 401
            && let Some(Challenge::Bearer { error: Some(error), .. }) = &refused
            && error == "insufficient_scope"
        {
            // Docker's words for "the token does not reach so far".
            let detail = "denied: requested access to the resource is denied".to_owned();
            return Err(match what {
                What::Push => Error::PushRefused { detail },
                _ => Error::Denied { name: self.reference.familiar_name(), detail },
            });
        }
        Err(Error::of_answer(&self.registry(), answer, &self.reference, what))
    }

    async fn read_answer(&self, response: Response) -> Answer {
        let status = response.status();
        let header =
            response.headers().get(reqwest::header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = header.map(str::to_owned);
        let body = self.read_all(response, "answer", MAX_ERROR_BYTES).await.unwrap_or_default();
        answer::read(status, retry_after.as_deref(), &body)
    }

    /// Reads a body of bounded length.
    pub(crate) async fn read_all(
        &self,
        mut response: Response,
        what: &'static str,
        limit_bytes: u64,
    ) -> Result<Vec<u8>, Error> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(&error))? {
            if (body.len() + chunk.len()) as u64 > limit_bytes {
                return Err(Error::TooLarge { what, registry: self.registry(), limit_bytes });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// Meets a challenge: returns what to send as `Authorization`; none if we have nothing that would do.
    async fn answer(&self, challenge: &Challenge) -> Result<Option<Secret<String>>, Error> {
        match challenge {
            Challenge::Basic => Ok(self.credentials.as_ref().and_then(Credentials::basic)),
            Challenge::Bearer { .. } if matches!(self.credentials, Some(Credentials::Bearer(_))) => Ok(None),
            Challenge::Bearer { realm, service, scope, .. } => {
                let token = self.token(realm, service.as_deref(), scope.as_deref()).await?;
                Ok(Some(Secret::new(format!("Bearer {}", token.expose()))))
            }
        }
    }

    /// Fetches a token.
    ///
    /// # Source
    /// distribution `docs/spec/auth/token.md` (GET) and `oauth.md` (POST).
    async fn token(
        &self,
        realm: &str,
        service: Option<&str>,
        scope: Option<&str>,
    ) -> Result<Secret<String>, Error> {
        let wrong = |reason: &str| Error::Malformed { what: "token answer", reason: reason.into() };
        let mut url = Url::parse(realm).map_err(|_| wrong("the realm is no address"))?;
        let allows_plain =
            self.endpoint.certificates == Certificates::Any || self.endpoint.base.scheme() == "http";
        match url.scheme() {
            "https" => {}
            "http" if self.credentials.is_none() || allows_plain => {}
            "http" => {
                return Err(Error::InsecureRealm {
                    registry: self.registry(),
                    realm: crate::redact::without_secrets(realm),
                });
            }
            _ => return Err(wrong("the realm is no address")),
        }
        let usual_scope = format!("repository:{}:pull", self.reference.path());
        let scope = scope.unwrap_or(&usual_scope);
        let mut request = Request {
            method: Method::GET,
            url: url.clone(),
            accept: &[],
            from: 0,
            authorization: None,
            form: None,
        };
        let basic = self.credentials.as_ref().and_then(Credentials::basic);
        if let Some(Credentials::Identity(identity)) = &self.credentials {
            let mut form = Url::parse("form:").expect("the address is well-formed");
            form.query_pairs_mut()
                .append_pair("grant_type", "refresh_token")
                .append_pair("service", service.unwrap_or_default())
                .append_pair("scope", scope)
                .append_pair("client_id", CLIENT_ID)
                .append_pair("refresh_token", identity.expose());
            request.form = form.query().map(str::to_owned);
            request.method = Method::POST;
        } else {
            let mut query = url.query_pairs_mut();
            if let Some(service) = service {
                query.append_pair("service", service);
            }
            query.append_pair("scope", scope);
            if let Some(Credentials::Password { user, .. }) = &self.credentials {
                query.append_pair("account", user);
            }
            drop(query);
            request.authorization = basic.as_ref();
        }
        request.url = url;
        let response = self.follow(request).await?;
        if !response.status().is_success() {
            let answer = self.read_answer(response).await;
            return Err(match answer.status {
                401 | 403 => Error::Unauthorized { registry: self.registry(), detail: answer.detail },
                _ => Error::of_answer(&self.registry(), answer, &self.reference, What::Tags),
            });
        }
        let body = self.read_all(response, "token answer", MAX_TOKEN_BYTES).await?;
        let answer: TokenAnswer = serde_json::from_slice(&body).map_err(|_| wrong("not JSON"))?;
        let token = answer.token.or(answer.access_token).filter(|token| !token.is_empty());
        token.map(Secret::new).ok_or_else(|| wrong("it has no token"))
    }
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
}

fn challenge_of(response: &Response) -> Option<Challenge> {
    let headers = response.headers().get_all(WWW_AUTHENTICATE);
    let texts: Vec<&str> = headers.iter().filter_map(|header| header.to_str().ok()).collect();
    challenge::parse(&texts.join(", "))
}

fn is_redirection(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn sensitive(authorization: &Secret<String>) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(authorization.expose())
        .map_err(|_| Error::AuthHeader { reason: "it has characters that cannot be sent" })?;
    value.set_sensitive(true);
    Ok(value)
}
