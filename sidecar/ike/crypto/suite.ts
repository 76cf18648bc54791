/** What a negotiation ends in (RFC 7296 §3.3): one algorithm per transform type, by IANA number. */
export interface IkeSuite {
  readonly encr: number;
  readonly keyBits: number;
  /** 0 (NONE) with an AEAD. */
  readonly integ: number;
  readonly prf: number;
  readonly ke: number;
}

/** `ke` is 0 when the child takes its keys from SK_d alone. */
export interface EspSuite {
  readonly encr: number;
  readonly keyBits: number;
  readonly integ: number;
  readonly ke: number;
  readonly esn: boolean;
}
