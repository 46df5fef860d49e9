//! AWS's limits of an account, in one place; `--no-account-limits` lifts those that are quotas, never the bounds that
//! keep the process safe.

/// The quotas that hold for an account. Defaults are AWS's (management-API quotas of API Gateway and Lambda).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AccountLimits {
    /// Requests a second over all REST APIs of an account and region; `None` lifts the limit. AWS: 10,000.
    pub requests_per_second: Option<f64>,
    /// How many requests may come at once before the rate holds. AWS: 5,000.
    pub burst: f64,
    /// Resources a REST API may have. AWS: 300.
    pub resources_per_api: usize,
    /// Stages a REST API may have. AWS: 10.
    pub stages_per_api: usize,
    /// Authorizers a REST API may have. AWS: 10.
    pub authorizers_per_api: usize,
    /// Documentation parts a REST API may have. AWS: 2,000.
    pub documentation_parts_per_api: usize,
    /// VPC links for REST APIs that an account may have in a region. AWS: 20.
    pub vpc_links: usize,
    /// REST APIs an account may have in a region. AWS: 600 regional, 120 edge; we hold the larger for both.
    pub apis: usize,
    /// Functions that may run at once in an account and region. AWS: 1,000.
    pub concurrent_functions: usize,
    /// Bytes that the zips of all functions and layers may take in an account and region. AWS: 75 GB.
    pub code_bytes: u64,
}

impl AccountLimits {
    /// AWS's default quotas.
    pub const AWS: AccountLimits = AccountLimits {
        requests_per_second: Some(10_000.0),
        burst: 5_000.0,
        resources_per_api: 300,
        stages_per_api: 10,
        authorizers_per_api: 10,
        documentation_parts_per_api: 2_000,
        vpc_links: 20,
        apis: 600,
        concurrent_functions: 1_000,
        code_bytes: 80_530_636_800,
    };

    /// No quota but what memory allows.
    pub const LIFTED: AccountLimits = AccountLimits {
        requests_per_second: None,
        burst: f64::MAX,
        resources_per_api: usize::MAX,
        stages_per_api: usize::MAX,
        authorizers_per_api: usize::MAX,
        documentation_parts_per_api: usize::MAX,
        vpc_links: usize::MAX,
        apis: usize::MAX,
        concurrent_functions: usize::MAX,
        code_bytes: u64::MAX,
    };
}

impl Default for AccountLimits {
    fn default() -> Self {
        AccountLimits::AWS
    }
}

/// The largest request or buffered response body that API Gateway takes: 10 MB.
pub const GATEWAY_PAYLOAD_BYTES: usize = 10 * 1024 * 1024;

/// The largest payload of a synchronous Lambda invocation, either way: 6 MB and 100 bytes, as AWS checks it.
pub const FUNCTION_PAYLOAD_BYTES: usize = 6_291_556;

/// The most that a function may write to a stream: 200 MB.
pub const FUNCTION_STREAM_BYTES: u64 = 200 * 1024 * 1024;
