//! (room)
pub mod mock_portal;
pub mod mock_wallet;
pub mod mock_tsa;
