// A workload for tests that speaks TLS by itself, with a certificate that it makes when it starts.
import https from "node:https";
import forge from "node-forge";

const keys = forge.pki.rsa.generateKeyPair(2048);
const certificate = forge.pki.createCertificate();
certificate.publicKey = keys.publicKey;
certificate.serialNumber = "01";
certificate.validity.notBefore = new Date(Date.now() - 86_400_000);
certificate.validity.notAfter = new Date(Date.now() + 86_400_000);
const subject = [{ name: "commonName", value: "tls-app" }];
certificate.setSubject(subject);
certificate.setIssuer(subject);
certificate.sign(keys.privateKey, forge.md.sha256.create());

https
  .createServer(
    { cert: forge.pki.certificateToPem(certificate), key: forge.pki.privateKeyToPem(keys.privateKey) },
    (request, response) => response.end(`secured ${request.url}`),
  )
  .listen(Number(process.env.PORT), "127.0.0.1");
