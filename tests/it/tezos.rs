//! Tezos: encodings, signatures, and what a request is.

mod encodings;
mod policy;
mod requests;
mod signing;
mod watermarks;

/// Where the bytes are from: Signatory's `pkg/signatory/request/request_test.go` and `signatory_test.go`, commits of 2021 to 2026.
pub(crate) mod signatory {
    use kms_signer::alloy_primitives::hex;

    pub(crate) const PREATTESTATION: &[u8] = &hex!(
        "12ed9d217c2f50673bab6b20dfb0a88ca93b4a0c72a34c807af5dffbece2cba3d2b509835f140060000000020000000\
         41f1ebb39759cc957216f88fb4d005abc206fb00a53f8d57ac01be00c084cba97"
    );
    pub(crate) const ATTESTATION: &[u8] = &hex!(
        "13ed9d217cfc81eee810737b04018acef4db74d056b79edc43e6be46cae7e4c217c22a82f01500120000518d00000000\
         03e7ea1f67dbb0bb6cfa372cb092cd9cf786b4f1b5e5139da95b915fb95e698d"
    );
    pub(crate) const BLOCK: &[u8] = &hex!(
        "11ed9d217c0000518e0118425847ac255b6d7c30ce8fec23b8eaf13b741de7d18509ac2ef83c741209630000000061947af5\
         04805682ea5d089837764b3efcc90b91db24294ff9ddb66019f332ccba17cc4741000000210000000102000000040000518e\
         0000000000000004ffffffff0000000400000000eb1320a71e8bf8b0162a3ec315461e9153a38b70d00d5dde2df85eb92748f8d0\
         68d776e356683a9e23c186ccfb72ddc6c9857bb1704487972922e7c89a7121f800000000a8e1dd3c000000000000"
    );
    /// A call of a contract's entrypoint.
    pub(crate) const CALL: &[u8] = &hex!(
        "03a60703a9567bf69ec66b368c3d8562eba4cbf29278c2c10447a684e3aa1436856c00a0c7a9b0bcd6a48ee0c13094327f215b\
         a2adeaa7d40dabc1af25e36fde02c096b10201f525eabd8b0eeace1494233ea0230d2c9ad6619b00ffff0b66756c66696c6c5f\
         61736b0000000907070088f0f6010306"
    );
    pub(crate) const TRANSACTION: &[u8] = &hex!(
        "03573a2d2d49a3b9634d1605c3aa48ebdd5d21a5885ad17aa44c2b1d0dbcbcac686c004b415314d2b56b0481a3ae8c992ce8bb\
         8dba0369d086039ecb2dc35000c0843d000076b2f1ea1cf6753888ac5488693977446652d79e00"
    );
    pub(crate) const DELEGATION: &[u8] = &hex!(
        "03b89591b37be370e3db3fc7f77fdd176c5153f75ddcd239094c7ebeb66ee5e8bd6e002ea14368f6494539861ba04cf8cc946a\
         ce12cfd4ea09d89f40f44e00ff004b415314d2b56b0481a3ae8c992ce8bb8dba0369"
    );
    pub(crate) const ORIGINATION: &[u8] = &hex!(
        "03742d8e0a99049a5053bd71ac18b40fbb1f20e262e45dec88acd6795ba75147066d004b415314d2b56b0481a3ae8c992ce8bb\
         8dba0369d80aa1cb2d8156bb0200000000001c02000000170500035b0501035b050202000000080316053d036d034200000002\
         0000"
    );
    pub(crate) const REVEAL_AND_DELEGATION: &[u8] = &hex!(
        "0333faca8a156c5e69fc8a63a799911b7c94b126fc7294dbbc0b8cb6880a81944e6b0008460955bf19f2d43ff015d938d53198\
         b14ff637eb09f5ae3f904e000084d813c61c2478b2f30cda0b5593ae5ba293226f44120e42476f0e0941f3702a006e00084609\
         55bf19f2d43ff015d938d53198b14ff6378a09f6ae3ff44e00ff004b415314d2b56b0481a3ae8c992ce8bb8dba0369"
    );
    pub(crate) const INCREASE_PAID_STORAGE: &[u8] = &hex!(
        "031ca15e385360cc8843937ece7471307086020e8eaff1613c8c25124519710fe9710079cae4c9a1885f17d3995619bf28636c\
         4394458bdd02ef8a09e807000101c83a61cd1cb193d2d7d5e49d867cc2299211575d00"
    );
    /// Before Rio: without the byte that says whether there is a proof of possession.
    pub(crate) const OLD_UPDATE_CONSENSUS_KEY: &[u8] = &hex!(
        "03ebcaec6ed8ab1a8a515164df37f47be175fb92851249f2b83fb96b7434ec57d3720079cae4c9a1885f17d3995619bf28636c\
         4394458bf102f31fcc08000202d56e7b5258aa58eeb61701476c46863e2f9f31b4b467ca3175fb2f1fed6b4106"
    );
    pub(crate) const DRAIN_DELEGATE: &[u8] = &hex!(
        "0375959f80af0577302c9ed036371bc6c18644eeabf441fbad257c1a67d36a57fe090244cd5d0b4cb5a18d926b25bc37e58105\
         e6786f0802f846b9ed8834c257a6f0c3cebeab4f58508b20ad0244cd5d0b4cb5a18d926b25bc37e58105e6786f08"
    );
    /// `integration_test/tests/server/watermark_test.go`: two blocks at level 7 and round 2, made from mainnet's, and the hash of the first.
    pub(crate) const BLOCK_B1: &[u8] = &hex!(
        "11b3d79f9900000007184572152267169504aff4d7cb486684d7e36ffed77523565eb2981d05f00f95520000000069a8c39704\
         2b9ee182b36afeb571d6d7218853177fff8d2aca0738eaf9a32284eb932bca3500000021000000010200000004000000070000\
         000000000004ffffffff0000000400000002be32a3976c093ad2a4ce5168b38e0756589b740ca2477fc07c5fa52f55c241f222\
         497e0fc752e228440e90f23f104c8de0aec6b5c502dfbfe8e5e21857bacf01000000025a3ca147680601000000"
    );
    pub(crate) const BLOCK_B2: &[u8] = &hex!(
        "11b3d79f990000000718e790bc8332da94dfdf97b041d5fb918500d56e3647125732b737da8dcf1aa4040000000069a8c39d04\
         29599f0c1222b23808083de0b51e47ea45f2cd3e916dcdd5bd5fdbc7ef5c2c3b00000021000000010200000004000000070000\
         000000000004ffffffff00000004000000027cf2ed78325f41df290d68f691c691c976107148beae12495d946a419750ab7b03\
         f9321cbf1a85d7701522fae4938181944dc8b746ef4e8f85260f528bfa1a2c000000025a3ca147d36b02000000"
    );
    pub(crate) const HASH_B1: &str = "vh2LsbNPiuNja766Mzq1DXd7kMAhF358snWJHhK9XPG6F5dSmXPn";
    /// Of `docs/start.md`: an endorsement before Tenderbake.
    pub(crate) const ENDORSEMENT: &[u8] =
        &hex!("027a06a770e6cebe5b3e39483a13ac35f998d650e8b864696e31520922c7242b88c8d2ac55000003eb6d");
}
