// node taquito.cjs URL HASH BYTES...: signs generic operations through a vault, with the client that Taquito's users have. It verifies
// each signature with the public key that the vault names, and that key with the hash. Prints a JSON line for each.
const { RemoteSigner } = require('@taquito/remote-signer');

async function main([url, hash, ...operations]) {
  const signer = new RemoteSigner(hash, url);
  console.log(JSON.stringify({ publicKey: await signer.publicKey() }));
  for (const bytes of operations) {
    try {
      const { prefixSig } = await signer.sign(bytes, new Uint8Array([3]));
      console.log(JSON.stringify({ signature: prefixSig }));
    } catch (error) {
      console.log(JSON.stringify({ error: error.name, cause: error.cause?.message }));
    }
  }
}

main(process.argv.slice(2));
