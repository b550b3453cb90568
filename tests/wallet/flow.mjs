// A wallet going through the whole flow of OpenID4VCI 1.0 with other people's code. Reads one JSON object from standard input,
// prints one: what every stage answered. With `offer_uris` instead of `offer_uri` as many wallets go, each with keys of its own,
// and it is said how many had the credential, and the document that it binds, in their hands. The judge is tests/it/issuer.rs.
import { Openid4vciClient } from '@openid4vc/openid4vci'
import { clientAuthenticationAnonymous, setGlobalConfig } from '@openid4vc/oauth2'
import * as jose from 'jose'
import { createHash, randomBytes, webcrypto } from 'node:crypto'
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc'
import { digest, generateSalt, ES256 } from '@sd-jwt/crypto-nodejs'

// Node 18, which Debian 12 has, does not offer it to everybody yet.
globalThis.crypto ??= webcrypto

const ask = JSON.parse(await new Promise((resolve) => {
  let text = ''
  process.stdin.on('data', (piece) => (text += piece)).on('end', () => resolve(text))
}))
if (ask.plain) setGlobalConfig({ allowInsecureUrls: true })

const failure = (error) => {
  const response = error?.response?.status ?? error?.cause?.response?.status
  const body = error?.errorResponse ?? error?.response?.credentialErrorResponseResult?.data ?? error?.cause?.errorResponse
  return { status: response, error: body?.error, message: String(error?.message).slice(0, 200) }
}

async function wallet(offerUri) {
  const { publicKey, privateKey } = await jose.generateKeyPair('ES256', { extractable: true })
  const publicJwk = await jose.exportJWK(publicKey)
  const encryption = await jose.generateKeyPair('ECDH-ES', { crv: 'P-256', extractable: true })
  const encryptionJwk = { ...(await jose.exportJWK(encryption.publicKey)), alg: 'ECDH-ES', use: 'enc', kid: 'wallet-1' }

  const client = new Openid4vciClient({
    callbacks: {
      fetch,
      hash: (data, alg) => createHash(alg.replace('-', '').toLowerCase()).update(data).digest(),
      generateRandom: (n) => randomBytes(n),
      signJwt: async (signer, { header, payload }) => ({
        jwt: await new jose.SignJWT(payload).setProtectedHeader(header).sign(privateKey),
        signerJwk: publicJwk,
      }),
      verifyJwt: async () => ({ verified: false }),
      encryptJwe: async () => { throw new Error('not used') },
      decryptJwe: async (jwe) => {
        const { plaintext } = await jose.compactDecrypt(jwe, encryption.privateKey)
        return { decrypted: true, decryptionJwk: encryptionJwk, payload: new TextDecoder().decode(plaintext) }
      },
      clientAuthentication: clientAuthenticationAnonymous(),
    },
  })

  const said = { steps: [] }
  const step = (name, extra = {}) => said.steps.push({ name, ...extra })
  try {
    const offer = await client.resolveCredentialOffer(offerUri)
    step('offer')
    const metadata = await client.resolveIssuerMetadata(offer.credential_issuer)
    step('metadata', { version: metadata.originalDraftVersion })
    let token
    for (const pin of ask.pins) {
      try {
        token = await client.retrievePreAuthorizedCodeAccessTokenFromOffer({ credentialOffer: offer, issuerMetadata: metadata, txCode: pin })
        step('token', { ok: true })
      } catch (error) {
        step('token', { ok: false, ...failure(error) })
      }
    }
    if (token) {
      const accessToken = token.accessTokenResponse.access_token
      const id = offer.credential_configuration_ids[0]
      const nonce = await client.requestNonce({ issuerMetadata: metadata })
      const proof = await client.createCredentialRequestJwtProof({
        issuerMetadata: metadata, credentialConfigurationId: id, nonce: nonce.c_nonce,
        signer: { method: 'jwk', publicJwk, alg: 'ES256' },
      })
      if (ask.encrypt) {
        // The library sends no wish for encryption and encrypts no request; both are added here, with the key in the metadata it read.
        const requests = metadata.credentialIssuer.credential_request_encryption
        const key = requests.jwks.keys[0]
        const body = JSON.stringify({ credential_configuration_id: id, proofs: { jwt: [proof.jwt] },
          credential_response_encryption: { jwk: encryptionJwk, enc: 'A256GCM' } })
        const jwe = await new jose.CompactEncrypt(new TextEncoder().encode(body))
          .setProtectedHeader({ alg: key.alg, enc: requests.enc_values_supported[0], kid: key.kid })
          .encrypt(await jose.importJWK(key, key.alg))
        const response = await fetch(metadata.credentialIssuer.credential_endpoint, {
          method: 'POST', headers: { authorization: `Bearer ${accessToken}`, 'content-type': 'application/jwt' }, body: jwe,
        })
        step('credential', { status: response.status, type: response.headers.get('content-type') })
        const { plaintext } = await jose.compactDecrypt(await response.text(), encryption.privateKey)
        said.answer = JSON.parse(new TextDecoder().decode(plaintext))
      } else {
        const { credentialResponse } = await client.retrieveCredentials({
          issuerMetadata: metadata, accessToken, credentialConfigurationId: id, proofs: { jwt: [proof.jwt] },
        })
        said.answer = credentialResponse
        step('credential')
      }
      let polls = 0
      while (said.answer.transaction_id && polls < 20) {
        await new Promise((resolve) => setTimeout(resolve, ask.wait_ms ?? 300))
        const { deferredCredentialResponse } = await client.retrieveDeferredCredentials({
          issuerMetadata: metadata, accessToken, transactionId: said.answer.transaction_id,
        })
        if (deferredCredentialResponse.transaction_id && deferredCredentialResponse.transaction_id !== said.answer.transaction_id) throw new Error('another transaction')
        said.answer = deferredCredentialResponse
        polls += 1
        step('deferred')
      }
      const credential = said.answer.credentials[0].credential
      said.credential = credential
      if (said.answer.notification_id) {
        for (let i = 0; i < 2; i += 1) {
          await client.sendNotification({
            issuerMetadata: metadata, accessToken, notification: { notificationId: said.answer.notification_id, event: 'credential_accepted' },
          })
          step('notification')
        }
      }
      const wellKnown = new URL(offer.credential_issuer)
      wellKnown.pathname = `/.well-known/jwt-vc-issuer${wellKnown.pathname === '/' ? '' : wellKnown.pathname}`
      said.issuer_jwk = (await (await fetch(wellKnown)).json()).jwks.keys[0]
      const sdjwt = new SDJwtVcInstance({
        hasher: digest, hashAlg: 'sha-256', saltGenerator: generateSalt, verifier: await ES256.getVerifier(said.issuer_jwk),
      })
      await sdjwt.verify(credential)
      said.claims = await sdjwt.getClaims(credential)
      step('verified')
      const document = await fetch(said.claims.doc.uri)
      let bytes = Buffer.from(await document.arrayBuffer())
      step('document', { status: document.status, type: document.headers.get('content-type') })
      if (document.headers.get('content-type') === 'application/jose') {
        bytes = Buffer.from((await jose.compactDecrypt(bytes.toString(), encryption.privateKey)).plaintext)
      }
      said.document_sha256 = createHash('sha256').update(bytes).digest('hex')
      said.holder = publicJwk
    }
  } catch (error) {
    said.failed = { ...failure(error), stack: String(error?.stack).slice(0, 600) }
  }
  return said
}

if (ask.offer_uris) {
  const [began, failures] = [performance.now(), []]
  let [ok, last] = [0, undefined]
  // Eight at a time, as at the counters of one office.
  const next = ask.offer_uris[Symbol.iterator]()
  await Promise.all(Array.from({ length: 8 }, async () => {
    for (const uri of next) {
      const said = await wallet(uri)
      const whole = !said.failed && said.document_sha256 !== undefined && said.document_sha256 === said.claims?.doc?.sha256
      if (whole) ok += 1
      else failures.push(said.failed ?? said.steps)
      last = said
    }
  }))
  console.log(JSON.stringify({ ok, seconds: Math.round((performance.now() - began) / 100) / 10, failures: failures.slice(0, 3), last }))
} else {
  console.log(JSON.stringify(await wallet(ask.offer_uri)))
}
