//! IAM's operations on a store of their own.

use std::net::Ipv4Addr;
use std::sync::Arc;

use base::clock::{Clock, Moment};
use model_iam as model;
use store::DataDir;
use tempfile::TempDir;
use wire::{ApiError, Call, Mounted};

use crate::Identity;

const TRUST: &str = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}"#;
const LOGS: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"logs:PutLogEvents","Resource":"*"}}"#;
const BASIC_EXECUTION: &str = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";

fn open() -> (TempDir, Arc<Identity>) {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::open(folder.path()).unwrap();
    (folder, Identity::open(data.store(), Clock::fake(Moment(1_700_000_000_999))))
}

fn call() -> Call {
    Call {
        account: "000000000000".into(),
        region: "eu-west-1".into(),
        access_key_id: None,
        session: None,
        request_id: "1b4e28ba-2fa1-41d2-883f-0016d3cca427".into(),
        source_ip: Ipv4Addr::LOCALHOST.into(),
        service: "iam",
        operation: "",
        host: String::new(),
        user_agent: String::new(),
        trace_id: None,
    }
}

/// Calls an operation with some members of its input.
macro_rules! ask {
    ($identity:expr, $operation:ident, $input:ident { $($member:ident: $value:expr),* $(,)? }) => {{
        let mut input = model::$input::default();
        $(input.$member = $value.into();)*
        Arc::clone(&$identity).$operation(call(), input).await
    }};
}

fn refused<T>(result: Result<T, ApiError>) -> (String, u16, String) {
    let error = result.err().expect("the operation is refused");
    (error.code().to_owned(), error.status().as_u16(), error.message().to_owned())
}

fn refusal(code: &str, status: u16, text: &str) -> (String, u16, String) {
    (code.to_owned(), status, text.to_owned())
}

async fn create(identity: &Arc<Identity>, name: &str) -> model::Role {
    let input = model::CreateRoleRequest {
        role_name: name.to_owned(),
        assume_role_policy_document: TRUST.to_owned(),
        ..Default::default()
    };
    Arc::clone(identity).create_role(call(), input).await.unwrap().role
}

async fn attached(identity: &Arc<Identity>, name: &str) -> Vec<String> {
    let listed =
        ask!(identity, list_attached_role_policies, ListAttachedRolePoliciesRequest { role_name: name }).unwrap();
    listed.attached_policies.unwrap().into_iter().map(|policy| policy.policy_arn.unwrap()).collect()
}

#[test]
fn every_implemented_operation_has_a_handler() {
    let (_folder, identity) = open();
    assert_eq!(Mounted::from(identity.iam()).missing(), [""; 0]);
    assert_eq!(Mounted::from(identity.sts()).missing(), [""; 0]);
}

#[tokio::test]
async fn a_role_is_created_and_read() {
    let (_folder, identity) = open();
    let created = ask!(
        identity,
        create_role,
        CreateRoleRequest {
            role_name: "Items-role",
            path: "/service-role/items/".to_owned(),
            assume_role_policy_document: TRUST,
            description: "for items".to_owned(),
            tags: vec![model::Tag { key: "team".into(), value: String::new() }],
        }
    );
    let created = created.unwrap().role;
    assert_eq!(created.arn, "arn:aws:iam::000000000000:role/service-role/items/Items-role");
    assert_eq!((created.role_id.len(), &created.role_id[..4]), (21, "AROA"));
    assert_eq!(created.create_date.milliseconds(), 1_700_000_000_000);
    let document = created.assume_role_policy_document.clone().unwrap();
    assert!(document.starts_with("%7B%22Version%22%3A%20%222012-10-17%22%2C%20%22Statement%22"), "{document}");
    assert_eq!((created.max_session_duration, &created.role_last_used), (None, &None));

    let read = ask!(identity, get_role, GetRoleRequest { role_name: "Items-role" }).unwrap().role;
    assert_eq!(read.max_session_duration, Some(3600));
    assert_eq!(read.role_last_used, Some(model::RoleLastUsed::default()));
    assert_eq!(model::Role { max_session_duration: None, role_last_used: None, ..read }, created);
}

#[tokio::test]
async fn a_role_is_its_accounts_alone() {
    let (_folder, identity) = open();
    create(&identity, "role").await;
    let other = Call { account: "111111111111".into(), ..call() };
    let input = model::GetRoleRequest { role_name: "role".into() };
    let missing = refused(Arc::clone(&identity).get_role(other, input).await);
    assert_eq!(missing, refusal("NoSuchEntity", 404, "The role with name role cannot be found."));
    let elsewhere = Call { region: "us-east-1".into(), ..call() };
    let input = model::GetRoleRequest { role_name: "role".into() };
    assert!(identity.get_role(elsewhere, input).await.is_ok());
}

#[tokio::test]
async fn a_role_is_refused_with_awss_words() {
    let (_folder, identity) = open();
    create(&identity, "role").await;
    for name in ["role", "ROLE"] {
        let input =
            ask!(identity, create_role, CreateRoleRequest { role_name: name, assume_role_policy_document: TRUST });
        let text = format!("Role with name {name} already exists.");
        assert_eq!(refused(input), refusal("EntityAlreadyExists", 409, &text));
    }
    let refuse = async |document: &str, path: &str| {
        refused(ask!(
            identity,
            create_role,
            CreateRoleRequest { role_name: "new", assume_role_policy_document: document, path: path.to_owned() }
        ))
    };
    let malformed = |text| refusal("MalformedPolicyDocument", 400, text);
    assert_eq!(refuse("trust.json", "/").await, malformed("This policy contains invalid Json"));
    assert_eq!(refuse(LOGS, "/").await, malformed("Has prohibited field Resource"));
    let long = TRUST.replace("lambda", &"l".repeat(2048));
    assert_eq!(refuse(&long, "/").await, refusal("LimitExceeded", 409, "Cannot exceed quota for ACLSizePerRole: 2048"));
    // White space does not count.
    let wide = TRUST.replace(' ', &" ".repeat(1000));
    for path in ["items", "/items", "items/", "/it ems/", ""] {
        assert_eq!(refuse(&wide, path).await.0, "ValidationError", "{path}");
    }
    let boundary = "arn:aws:iam::000000000000:policy/none";
    let unbounded = ask!(
        identity,
        create_role,
        CreateRoleRequest {
            role_name: "new",
            assume_role_policy_document: TRUST,
            permissions_boundary: boundary.to_owned(),
        }
    );
    let text = format!("Scope ARN: {boundary} does not exist or is not attachable.");
    assert_eq!(refused(unbounded), refusal("NoSuchEntity", 404, &text));
    let tag = |key: &str| model::Tag { key: key.into(), value: String::new() };
    let tagged = ask!(
        identity,
        create_role,
        CreateRoleRequest { role_name: "new", assume_role_policy_document: TRUST, tags: vec![tag("a"), tag("A")] }
    );
    assert_eq!(refused(tagged).0, "InvalidInput");
    assert!(ask!(identity, get_role, GetRoleRequest { role_name: "new" }).is_err(), "a refused role is there");
}

#[tokio::test]
async fn a_role_with_policies_cannot_be_deleted() {
    let (_folder, identity) = open();
    create(&identity, "role").await;
    let delete = async || ask!(identity, delete_role, DeleteRoleRequest { role_name: "role" });
    ask!(identity, attach_role_policy, AttachRolePolicyRequest { role_name: "role", policy_arn: BASIC_EXECUTION })
        .unwrap();
    let put = PutRolePolicy { policy_name: "logs", policy_document: LOGS };
    put.ask(&identity).await.unwrap();
    let conflict = |text| refusal("DeleteConflict", 409, text);
    assert_eq!(refused(delete().await), conflict("Cannot delete entity, must detach all policies first."));
    ask!(identity, detach_role_policy, DetachRolePolicyRequest { role_name: "role", policy_arn: BASIC_EXECUTION })
        .unwrap();
    assert_eq!(refused(delete().await), conflict("Cannot delete entity, must delete policies first."));
    ask!(identity, delete_role_policy, DeleteRolePolicyRequest { role_name: "role", policy_name: "logs" }).unwrap();
    delete().await.unwrap();
    assert_eq!(refused(delete().await), refusal("NoSuchEntity", 404, "The role with name role cannot be found."));
}

/// A policy to be put into the role `role`.
struct PutRolePolicy<'a> {
    policy_name: &'a str,
    policy_document: &'a str,
}

impl PutRolePolicy<'_> {
    async fn ask(&self, identity: &Arc<Identity>) -> Result<(), ApiError> {
        ask!(
            identity,
            put_role_policy,
            PutRolePolicyRequest {
                role_name: "role",
                policy_name: self.policy_name,
                policy_document: self.policy_document,
            }
        )
    }
}

#[tokio::test]
async fn inline_policies_are_put_read_listed_and_deleted() {
    let (_folder, identity) = open();
    let put = async |policy_name: &str, policy_document: &str| {
        PutRolePolicy { policy_name, policy_document }.ask(&identity).await
    };
    let no_role = refusal("NoSuchEntity", 404, "The role with name role cannot be found.");
    assert_eq!(refused(put("logs", LOGS).await), no_role);
    create(&identity, "role").await;
    assert_eq!(refused(put("logs", TRUST).await).2, "Policy document should not specify a principal.");
    for name in ["b", "c", "a"] {
        put(name, LOGS).await.unwrap();
    }
    let read = ask!(identity, get_role_policy, GetRolePolicyRequest { role_name: "role", policy_name: "b" }).unwrap();
    assert_eq!((read.role_name.as_str(), read.policy_name.as_str()), ("role", "b"));
    assert!(read.policy_document.ends_with("%22Resource%22%3A%22%2A%22%7D%7D"), "{}", read.policy_document);

    let first =
        ask!(identity, list_role_policies, ListRolePoliciesRequest { role_name: "role", max_items: 2 }).unwrap();
    assert_eq!(first.policy_names, ["a", "b"]);
    assert_eq!((first.is_truncated, first.marker.as_deref()), (Some(true), Some("b")));
    let rest = ask!(identity, list_role_policies, ListRolePoliciesRequest { role_name: "role", marker: first.marker });
    let rest = rest.unwrap();
    assert_eq!((rest.policy_names, rest.is_truncated, rest.marker), (vec!["c".to_owned()], Some(false), None));

    let long = LOGS.replace("logs:PutLogEvents", &format!("logs:{}", "x".repeat(10_000)));
    let text = "Maximum policy size of 10240 bytes exceeded for role role";
    assert_eq!(refused(put("long", &long).await), refusal("LimitExceeded", 409, text));
    let unknown = refusal("NoSuchEntity", 404, "The role policy with name long cannot be found.");
    let missing = ask!(identity, get_role_policy, GetRolePolicyRequest { role_name: "role", policy_name: "long" });
    assert_eq!(refused(missing), unknown);
    let missing =
        ask!(identity, delete_role_policy, DeleteRolePolicyRequest { role_name: "role", policy_name: "long" });
    assert_eq!(refused(missing), unknown);
}

#[tokio::test]
async fn managed_policies_are_attached_once_and_detached() {
    let (_folder, identity) = open();
    create(&identity, "role").await;
    let attach = async |arn: &str| {
        ask!(identity, attach_role_policy, AttachRolePolicyRequest { role_name: "role", policy_arn: arn })
    };
    for _ in 0..2 {
        attach(BASIC_EXECUTION).await.unwrap();
    }
    assert_eq!(attached(&identity, "role").await, [BASIC_EXECUTION]);
    for unknown in [
        "arn:aws:iam::aws:policy/None",
        "arn:aws:iam::000000000000:policy/None",
        "arn:aws:iam::111111111111:policy/None",
    ] {
        let text = format!("Policy {unknown} does not exist or is not attachable.");
        assert_eq!(refused(attach(unknown).await), refusal("NoSuchEntity", 404, &text));
    }
    assert_eq!(refused(attach("policy/AdministratorAccess!").await).2, "Invalid ARN:  Could not be parsed!");
    assert_eq!(refused(attach("arn:aws:iam::aws:policy/aws-service-role/Any").await).0, "PolicyNotAttachable");

    let detach = async || {
        ask!(identity, detach_role_policy, DetachRolePolicyRequest { role_name: "role", policy_arn: BASIC_EXECUTION })
    };
    detach().await.unwrap();
    let text = format!("Policy {BASIC_EXECUTION} was not found.");
    assert_eq!(refused(detach().await), refusal("NoSuchEntity", 404, &text));
    assert_eq!(attached(&identity, "role").await, [""; 0]);
}

#[tokio::test]
async fn a_role_has_at_most_ten_attached_policies_listed_in_pages() {
    let (_folder, identity) = open();
    create(&identity, "role").await;
    let mut last = Ok(());
    for number in 0..11 {
        let name = format!("p{number:02}");
        let made = ask!(
            identity,
            create_policy,
            CreatePolicyRequest { policy_name: name, policy_document: LOGS, path: format!("/{}/", number % 2) }
        );
        let arn = made.unwrap().policy.unwrap().arn.unwrap();
        last = ask!(identity, attach_role_policy, AttachRolePolicyRequest { role_name: "role", policy_arn: arn });
    }
    assert_eq!(refused(last), refusal("LimitExceeded", 409, "Cannot exceed quota for PoliciesPerRole: 10"));
    assert_eq!(attached(&identity, "role").await.len(), 10);
    let (mut names, mut marker) = (Vec::new(), None);
    loop {
        let page = ask!(
            identity,
            list_attached_role_policies,
            ListAttachedRolePoliciesRequest {
                role_name: "role",
                path_prefix: "/1/".to_owned(),
                max_items: 2,
                marker: marker,
            }
        );
        let page = page.unwrap();
        names.extend(page.attached_policies.unwrap().into_iter().map(|policy| policy.policy_name.unwrap()));
        assert_eq!(page.is_truncated, Some(page.marker.is_some()));
        marker = page.marker;
        if marker.is_none() {
            break;
        }
    }
    assert_eq!(names, ["p01", "p03", "p05", "p07", "p09"]);
}

#[tokio::test]
async fn an_accounts_policy_counts_its_attachments() {
    let (_folder, identity) = open();
    let create_policy = async |name: &str| {
        ask!(
            identity,
            create_policy,
            CreatePolicyRequest { policy_name: name, policy_document: LOGS, description: "writes logs".to_owned() }
        )
    };
    let created = create_policy("Logs").await.unwrap().policy.unwrap();
    let arn = created.arn.clone().unwrap();
    assert_eq!(arn, "arn:aws:iam::000000000000:policy/Logs");
    assert_eq!(created.policy_id.as_ref().map(|id| (id.len(), &id[..4])), Some((21, "ANPA")));
    assert_eq!((created.default_version_id.as_deref(), created.attachment_count), (Some("v1"), Some(0)));
    let text = "A policy called logs already exists. Duplicate names are not allowed.";
    assert_eq!(refused(create_policy("logs").await), refusal("EntityAlreadyExists", 409, text));

    let count = async || {
        let policy = ask!(identity, get_policy, GetPolicyRequest { policy_arn: arn.as_str() }).unwrap().policy.unwrap();
        (policy.attachment_count.unwrap(), policy.permissions_boundary_usage_count.unwrap())
    };
    let delete = async || ask!(identity, delete_policy, DeletePolicyRequest { policy_arn: arn.as_str() });
    for name in ["one", "two"] {
        let role = ask!(
            identity,
            create_role,
            CreateRoleRequest {
                role_name: name,
                assume_role_policy_document: TRUST,
                permissions_boundary: arn.clone(),
            }
        );
        assert!(role.unwrap().role.permissions_boundary.is_some());
        ask!(identity, attach_role_policy, AttachRolePolicyRequest { role_name: name, policy_arn: arn.as_str() })
            .unwrap();
    }
    assert_eq!(count().await, (2, 2));
    for (name, left) in [("one", (1, 1)), ("two", (0, 0))] {
        let attached = refusal("DeleteConflict", 409, "Cannot delete a policy attached to entities.");
        assert_eq!(refused(delete().await), attached);
        ask!(identity, detach_role_policy, DetachRolePolicyRequest { role_name: name, policy_arn: arn.as_str() })
            .unwrap();
        ask!(identity, delete_role, DeleteRoleRequest { role_name: name }).unwrap();
        assert_eq!(count().await, left);
    }
    delete().await.unwrap();
    let gone = refusal("NoSuchEntity", 404, &format!("Policy {arn} was not found."));
    assert_eq!(refused(delete().await), gone);
    assert_eq!(refused(ask!(identity, get_policy, GetPolicyRequest { policy_arn: arn.as_str() })), gone);
}

#[tokio::test]
async fn awss_policies_can_be_read_and_not_deleted() {
    let (_folder, identity) = open();
    create(&identity, "role").await;
    ask!(identity, attach_role_policy, AttachRolePolicyRequest { role_name: "role", policy_arn: BASIC_EXECUTION })
        .unwrap();
    let policy = ask!(identity, get_policy, GetPolicyRequest { policy_arn: BASIC_EXECUTION }).unwrap().policy.unwrap();
    assert_eq!(policy.policy_name.as_deref(), Some("AWSLambdaBasicExecutionRole"));
    assert_eq!((policy.path.as_deref(), policy.attachment_count), (Some("/service-role/"), Some(1)));
    let deleted = ask!(identity, delete_policy, DeletePolicyRequest { policy_arn: BASIC_EXECUTION });
    assert_eq!(refused(deleted), refusal("AccessDenied", 403, "Policy is outside your own account."));
}

#[tokio::test]
async fn roles_are_listed_in_pages_below_a_path() {
    let (_folder, identity) = open();
    for (name, path) in [("e", "/"), ("B", "/x/"), ("a", "/x/y/"), ("d", "/z/"), ("c", "/x/")] {
        let role = ask!(
            identity,
            create_role,
            CreateRoleRequest { role_name: name, path: path.to_owned(), assume_role_policy_document: TRUST }
        );
        role.unwrap();
    }
    for (prefix, size, expected) in [
        (None, 100, &["a", "B", "c", "d", "e"][..]),
        (None, 2, &["a", "B", "c", "d", "e"]),
        (Some("/x/".to_owned()), 2, &["a", "B", "c"]),
        (Some("/x/".to_owned()), 3, &["a", "B", "c"]),
        (Some("/none/".to_owned()), 1, &[]),
    ] {
        let (mut names, mut marker) = (Vec::new(), None);
        loop {
            let page = ask!(
                identity,
                list_roles,
                ListRolesRequest { path_prefix: prefix.clone(), max_items: size, marker: marker }
            );
            let page = page.unwrap();
            assert!(page.roles.len() <= size as usize);
            names.extend(page.roles.into_iter().map(|role| role.role_name));
            assert_eq!(page.is_truncated, Some(page.marker.is_some()));
            marker = page.marker;
            if marker.is_none() {
                break;
            }
        }
        assert_eq!(names, expected, "{prefix:?} by {size}");
    }
}

#[tokio::test]
async fn callers_who_change_one_role_at_once_all_succeed() {
    let (_folder, identity) = open();
    create(&identity, "role").await;
    let puts = (0..6).map(|number| {
        let identity = Arc::clone(&identity);
        tokio::spawn(async move {
            let name = format!("policy-{number}");
            PutRolePolicy { policy_name: &name, policy_document: LOGS }.ask(&identity).await
        })
    });
    for put in puts.collect::<Vec<_>>() {
        put.await.unwrap().unwrap();
    }
    let listed = ask!(identity, list_role_policies, ListRolePoliciesRequest { role_name: "role" }).unwrap();
    assert_eq!(listed.policy_names.len(), 6);
}
