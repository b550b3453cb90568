// What @vladmandic/face-api itself makes of pictures: node scripts/face-judge.mjs PACKAGE PICTURES
// Reads PICTURES/*.ppm, writes PICTURES/judge.json: for each face box and certainty, the square cut out, its description.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [packageFolder, pictures] = process.argv.slice(2).map((path) => resolve(path));
// The one bundle that carries its own TensorFlow is made for browsers: it must not think that this is Node, where it
// would look for parts that it does not carry.
Object.defineProperty(process, "versions", { value: {} });
globalThis.window = globalThis;
globalThis.document = { createElement: () => ({}) };
const faceapi = await import(pathToFileURL(join(packageFolder, "dist/face-api.esm.js")).href);
const { tf, nets } = faceapi;
class None {}
const never = () => {
  throw new Error("not here");
};
faceapi.env.setEnv({
  Canvas: None, Image: None, ImageData: None, Video: None, CanvasRenderingContext2D: None,
  createCanvasElement: never, createImageElement: never, fetch: never, readFile: never,
});
await tf.setBackend("cpu");
await tf.ready();

const model = join(packageFolder, "model");
const bytes = (path) => new Uint8Array(readFileSync(path)).buffer;
async function load(net, name) {
  const manifest = JSON.parse(readFileSync(join(model, `${name}-weights_manifest.json`)));
  const weights = tf.io.weightsLoaderFactory(async (paths) => paths.map(bytes));
  net.loadFromWeightMap(await weights(manifest, model));
}
await load(nets.tinyFaceDetector, "tiny_face_detector_model");
await load(nets.faceRecognitionNet, "face_recognition_model");

function picture(path) {
  const file = readFileSync(path);
  const head = /^P6\s(\d+)\s(\d+)\s255\s/.exec(file.subarray(0, 40).toString("latin1"));
  const [width, height] = [Number(head[1]), Number(head[2])];
  return tf.tensor3d(new Int32Array(file.subarray(head[0].length)), [height, width, 3], "int32");
}

/** The square of src/chip/face/matcher.rs. */
function square({ x, y, width, height }) {
  const side = Math.round(height * 0.92);
  return [Math.round(x + width / 2 - side / 2), Math.round(y + height * (0.5 - 0.065) - side / 2), side];
}

const judged = {};
for (const name of readdirSync(pictures).filter((name) => name.endsWith(".ppm")).sort()) {
  const whole = picture(join(pictures, name));
  const [height, width] = whole.shape;
  judged[name] = [];
  for (const found of await faceapi.tinyFaceDetector(whole, { inputSize: 416, scoreThreshold: 0.5 })) {
    const [x, y, side] = square(found.box);
    // Black around the picture, so that a square may reach over its edge.
    const edge = [Math.max(0, -x, -y, x + side - width, y + side - height)].map((n) => [n, n])[0];
    const padded = tf.pad(whole, [edge, edge, [0, 0]]);
    const rect = new faceapi.Rect(x + edge[0], y + edge[0], side, side);
    const [face] = await faceapi.extractFaceTensors(padded, [rect]);
    const description = await nets.faceRecognitionNet.computeFaceDescriptor(face);
    const box = [found.box.x, found.box.y, found.box.width, found.box.height, found.score];
    judged[name].push({ box, square: [x, y, side], descriptor: Array.from(description) });
  }
  console.log(`${name}: ${judged[name].length} faces`);
}
writeFileSync(join(pictures, "judge.json"), JSON.stringify(judged));
