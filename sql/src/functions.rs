//! Functions of the warehouse that name its schemas in their bodies: made anew by every migration, and whenever the schemas get
//! other names. So each stands once, as it is, and not as a chain of changes.

use crate::client::{GenericClient, Transaction};
use crate::error::SqlError;
use crate::schemas::Schemas;

/// The migration that makes the tables that their signatures name.
pub const SINCE: i32 = 27;

const TEXTS: [&str; 2] = [
    include_str!("../functions/session_counts.sql"),
    include_str!("../functions/compute_user_days.sql"),
];

/// Makes the functions of a warehouse, or replaces them.
///
/// # Errors
/// What the server says.
pub async fn create(transaction: &Transaction<'_>, schemas: &Schemas) -> Result<(), SqlError> {
    for text in TEXTS {
        transaction.batch_execute(&schemas.render(text)).await?;
    }
    Ok(())
}
