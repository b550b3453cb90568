//! Countries as certificates name them (ISO 3166-1 alpha-2) and as the machine readable zone does (Doc 9303-3, section 5).

/// Does the certificate's country (`VN`) issue documents with this issuing state in their zone (`VNM`)? `None` where
/// the certificate's country is not known here.
pub fn issues(certificate: &str, state: &str) -> Option<bool> {
    let country = certificate.to_ascii_uppercase();
    if !country.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let usual = match country.as_str() {
        // Germany keeps its old single letter; the others are no countries of the ISO list.
        "DE" => return Some(state == "D"),
        "EU" => return Some(state == "EUE"),
        "UN" => return Some(matches!(state, "UNO" | "UNA" | "UNK")),
        "ZZ" => return Some(matches!(state, "UNO" | "UNA" | "UNK" | "UTO")),
        "KS" | "XK" => return Some(matches!(state, "RKS" | "KS" | "XKX")),
        "XO" => return Some(state == "XOM"),
        "UT" => return Some(state == "UTO"),
        "GB" => return Some(matches!(state, "GBR" | "GBD" | "GBN" | "GBO" | "GBP" | "GBS")),
        // Special regions sign with the country of the state they belong to.
        "CN" => return Some(matches!(state, "CHN" | "HKG" | "MAC")),
        other => {
            ALPHA.split_ascii_whitespace().find(|e| e.len() == 5 && e.starts_with(other) && other.len() == 2)
        }
    };
    usual.map(|entry| &entry[2..] == state)
}

/// Alpha-2 followed by alpha-3.
const ALPHA: &str = "\
    ADAND AEARE AFAFG AGATG AIAIA ALALB AMARM AOAGO AQATA ARARG ASASM ATAUT AUAUS AWABW AXALA AZAZE BABIH BBBRB \
    BDBGD BEBEL BFBFA BGBGR BHBHR BIBDI BJBEN BLBLM BMBMU BNBRN BOBOL BQBES BRBRA BSBHS BTBTN BVBVT BWBWA BYBLR \
    BZBLZ CACAN CCCCK CDCOD CFCAF CGCOG CHCHE CICIV CKCOK CLCHL CMCMR CNCHN COCOL CRCRI CUCUB CVCPV CWCUW CXCXR \
    CYCYP CZCZE DEDEU DJDJI DKDNK DMDMA DODOM DZDZA ECECU EEEST EGEGY EHESH ERERI ESESP ETETH FIFIN FJFJI FKFLK \
    FMFSM FOFRO FRFRA GAGAB GBGBR GDGRD GEGEO GFGUF GGGGY GHGHA GIGIB GLGRL GMGMB GNGIN GPGLP GQGNQ GRGRC GSSGS \
    GTGTM GUGUM GWGNB GYGUY HKHKG HMHMD HNHND HRHRV HTHTI HUHUN IDIDN IEIRL ILISR IMIMN ININD IOIOT IQIRQ IRIRN \
    ISISL ITITA JEJEY JMJAM JOJOR JPJPN KEKEN KGKGZ KHKHM KIKIR KMCOM KNKNA KPPRK KRKOR KWKWT KYCYM KZKAZ LALAO \
    LBLBN LCLCA LILIE LKLKA LRLBR LSLSO LTLTU LULUX LVLVA LYLBY MAMAR MCMCO MDMDA MEMNE MFMAF MGMDG MHMHL MKMKD \
    MLMLI MMMMR MNMNG MOMAC MPMNP MQMTQ MRMRT MSMSR MTMLT MUMUS MVMDV MWMWI MXMEX MYMYS MZMOZ NANAM NCNCL NENER \
    NFNFK NGNGA NINIC NLNLD NONOR NPNPL NRNRU NUNIU NZNZL OMOMN PAPAN PEPER PFPYF PGPNG PHPHL PKPAK PLPOL PMSPM \
    PNPCN PRPRI PSPSE PTPRT PWPLW PYPRY QAQAT REREU ROROU RSSRB RURUS RWRWA SASAU SBSLB SCSYC SDSDN SESWE SGSGP \
    SHSHN SISVN SJSJM SKSVK SLSLE SMSMR SNSEN SOSOM SRSUR SSSSD STSTP SVSLV SXSXM SYSYR SZSWZ TCTCA TDTCD TFATF \
    TGTGO THTHA TJTJK TKTKL TLTLS TMTKM TNTUN TOTON TRTUR TTTTO TVTUV TWTWN TZTZA UAUKR UGUGA UMUMI USUSA UYURY \
    UZUZB VAVAT VCVCT VEVEN VGVGB VIVIR VNVNM VUVUT WFWLF WSWSM YEYEM YTMYT ZAZAF ZMZMB ZWZWE";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_issues_its_own_documents_only() {
        assert_eq!(issues("VN", "VNM"), Some(true));
        assert_eq!(issues("vn", "VNM"), Some(true));
        assert_eq!(issues("DE", "D"), Some(true));
        assert_eq!(issues("DE", "DEU"), Some(false));
        assert_eq!(issues("LA", "VNM"), Some(false));
        assert_eq!(issues("QQ", "VNM"), None);
        assert_eq!(issues("V", "VNM"), None);
        assert_eq!(issues("", "VNM"), None);
        assert_eq!(issues("ÐÐ", "VNM"), None);
    }
}
