//! IAM's service-specific credentials: users and passwords for CQL (API version 2010-05-08).
//!
//! IAM users are not stored: every name counts as that of an existing user.

use serde::Deserialize;

use super::constraint::Constraints;
use super::error::ApiError;
use super::protocol::Input;
use super::protocol::xml::Element;
use super::state::ControlPlaneState;
use crate::auth::http::Principal;
use crate::auth::service_specific::{
    MAX_CREDENTIALS_PER_USER, MAX_USERS, ServiceSpecificCredential, TooManyCredentials,
};
use crate::upstream::InternalRequestError;

/// The API version that every form has to name.
pub(crate) const VERSION: &str = "2010-05-08";

const OPERATIONS: [&str; 5] = [
    "CreateServiceSpecificCredential",
    "DeleteServiceSpecificCredential",
    "ListServiceSpecificCredentials",
    "ResetServiceSpecificCredential",
    "UpdateServiceSpecificCredential",
];

/// The only service whose credentials are emulated.
const SERVICE: &str = "cassandra.amazonaws.com";

/// Whether this operation is emulated.
pub(crate) fn has_operation(operation: &str) -> bool {
    OPERATIONS.contains(&operation)
}

/// The input of the five operations.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct IamInput {
    user_name: Option<String>,
    service_name: Option<String>,
    service_specific_credential_id: Option<String>,
    status: Option<String>,
    credential_age_days: Option<String>,
    all_users: Option<String>,
    marker: Option<String>,
    max_items: Option<String>,
}

/// Executes an operation that [`has_operation`] knows, and returns the elements of its result.
pub(crate) async fn answer(
    state: &ControlPlaneState,
    principal: &Principal,
    operation: &str,
    input: Input<'_>,
) -> Result<Vec<Element>, ApiError> {
    let form: IamInput = input.decode()?;
    form.check(operation)?;
    let user = form.user_name.as_deref().unwrap_or(&principal.user);
    if operation == "ListServiceSpecificCredentials" {
        return form.list(state, user);
    }
    let gateway = state.gateway();
    let credentials = gateway.service_specific();
    let change = credentials.change().await;
    if operation == "CreateServiceSpecificCredential" {
        form.check_service()?;
        let is_taken = |name: &str| state.authority().is_principals_user(name);
        let generated = credentials.all().generate(user, &principal.account, is_taken, state.authority().now());
        let (created, password) = generated.map_err(quota)?;
        change.put(created.clone()).await.map_err(not_saved)?;
        return Ok(vec![credential_element("ServiceSpecificCredential", &created, Some(password))]);
    }
    let id = form.service_specific_credential_id.as_deref().unwrap_or_default();
    let no_such = || ApiError::new("NoSuchEntity", format!("No such credential {id} exists"));
    let existing = credentials.all().find(user, id).ok_or_else(no_such)?;
    match operation {
        "ResetServiceSpecificCredential" => {
            let (reset, password) = existing.with_new_password();
            change.put(reset.clone()).await.map_err(not_saved)?;
            Ok(vec![credential_element("ServiceSpecificCredential", &reset, Some(password))])
        }
        "UpdateServiceSpecificCredential" => {
            let is_active = form.status.as_deref() == Some("Active");
            change.put(ServiceSpecificCredential { is_active, ..existing }).await.map_err(not_saved)?;
            Ok(Vec::new())
        }
        _ => {
            change.remove(id).await.map_err(not_saved)?;
            Ok(Vec::new())
        }
    }
}

fn quota(exceeded: TooManyCredentials) -> ApiError {
    let (quota, limit) = match exceeded {
        TooManyCredentials::User => ("ServiceSpecificCredentialsPerUser", MAX_CREDENTIALS_PER_USER),
        TooManyCredentials::Account => ("UsersPerAccount", MAX_USERS),
    };
    ApiError::new("LimitExceeded", format!("Cannot exceed quota for {quota}: {limit}"))
}

fn not_saved(failed: InternalRequestError) -> ApiError {
    ApiError::internal(format!("keyspaces-local: {failed}"))
}

impl IamInput {
    fn check(&self, operation: &str) -> Result<(), ApiError> {
        let mut constraints = Constraints::default();
        let is_name = |name: &str| name.chars().all(|c| c.is_alphanumeric() || "_+=,.@-".contains(c));
        let user =
            constraints.member("userName", self.user_name.as_deref()).length(1..=64).pattern(r"[\w+=,.@-]+", is_name);
        match operation {
            "CreateServiceSpecificCredential" => {
                user.required();
                constraints.member("serviceName", self.service_name.as_deref()).required();
            }
            "ListServiceSpecificCredentials" => {
                let marker = self.marker.as_deref();
                constraints.member("marker", marker).length(1..=320);
                let number = self.max_items.as_deref().map(|text| text.parse::<u32>().unwrap_or(0));
                constraints.member("maxItems", number.as_ref()).range(1..=1000);
            }
            _ => {
                let is_id = |id: &str| id.chars().all(char::is_alphanumeric);
                let id = self.service_specific_credential_id.as_deref();
                let path = "serviceSpecificCredentialId";
                constraints.member(path, id).required().length(20..=128).pattern(r"[\w]+", is_id);
            }
        }
        if operation == "UpdateServiceSpecificCredential" {
            constraints.member("status", self.status.as_deref()).required().one_of(&["Active", "Inactive", "Expired"]);
        }
        constraints.check()?;
        if self.status.as_deref() == Some("Expired") {
            return Err(ApiError::validation(
                "keyspaces-local: the status Expired cannot be set (the service's message is not known)",
            ));
        }
        Ok(())
    }

    fn check_service(&self) -> Result<(), ApiError> {
        let service = self.service_name.as_deref().unwrap_or_default();
        if service != SERVICE {
            let service: String = service.chars().take(64).collect();
            let problem = format!(
                "keyspaces-local: not emulated: service-specific credentials of {service:?}; those of {SERVICE} are"
            );
            return Err(ApiError::new("NotSupportedService", problem));
        }
        if self.credential_age_days.is_some() {
            return Err(ApiError::validation("keyspaces-local: not emulated: CredentialAgeDays"));
        }
        Ok(())
    }

    fn list(&self, state: &ControlPlaneState, user: &str) -> Result<Vec<Element>, ApiError> {
        let all_users = self.all_users.as_deref() == Some("true");
        if all_users && self.user_name.is_some() {
            return Err(ApiError::validation(
                "keyspaces-local: UserName and AllUsers exclude each other (the service's message is not known)",
            ));
        }
        let is_listed = |service: &str| self.service_name.as_deref().is_none_or(|requested| requested == service);
        let credentials = if is_listed(SERVICE) {
            state.authority().service_specific().list((!all_users).then_some(user))
        } else {
            Vec::new()
        };
        let from = match &self.marker {
            None => 0,
            Some(marker) => credentials.iter().position(|credential| credential.id == *marker).ok_or_else(|| {
                ApiError::validation(
                    "keyspaces-local: the marker was not returned by this operation (the service's message is not known)",
                )
            })?,
        };
        let limit = self.max_items.as_deref().and_then(|text| text.parse().ok()).unwrap_or(100);
        let page = credentials.iter().skip(from).take(limit);
        let mut elements = vec![
            Element::with(
                "ServiceSpecificCredentials",
                page.map(|credential| credential_element("member", credential, None)),
            ),
            Element::text("IsTruncated", (credentials.len() > from.saturating_add(limit)).to_string()),
        ];
        elements.extend(credentials.get(from.saturating_add(limit)).map(|next| Element::text("Marker", &next.id)));
        Ok(elements)
    }
}

/// A credential as an element. Its password is shown only when the password was just created.
fn credential_element(name: &'static str, credential: &ServiceSpecificCredential, password: Option<String>) -> Element {
    let mut elements = vec![
        Element::text("CreateDate", credential.created.format("%Y-%m-%dT%H:%M:%SZ").to_string()),
        Element::text("ServiceName", SERVICE),
        Element::text("ServiceUserName", &credential.service_user),
        Element::text("ServiceSpecificCredentialId", &credential.id),
        Element::text("UserName", &credential.user),
        Element::text("Status", if credential.is_active { "Active" } else { "Inactive" }),
    ];
    elements.extend(password.map(|password| Element::text("ServicePassword", password)));
    Element::with(name, elements)
}
