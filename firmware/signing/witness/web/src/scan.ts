/** From the camera, or from a picture, to the text of a receipt's code. The only user of zxing-wasm. */

import { prepareZXingModule, readBarcodes, type ReadResult } from "zxing-wasm/reader";
import wasm from "zxing-wasm/reader/zxing_reader.wasm";
import { PREFIX } from "./receipt_code";
import { Refused } from "./refused";

/** A phone's camera gives pictures of 12 to 50 million pixels; more than this a phone's browser may not hold twice. */
const MAX_PIXELS = 12_000_000;
/** A code may be too large in pixels (paper grain), or too small. */
const SCALES = [1, 0.5, 2, 0.25];
/** Pause between two looks at the camera's picture, in milliseconds: the screen stays alive on a slow phone. */
const PAUSE_MS = 60;
/** What the camera is asked for: a code of 77 modules over a third of the width has five pixels a module. */
const VIDEO = { facingMode: { ideal: "environment" }, width: { ideal: 1280 }, height: { ideal: 720 } };

prepareZXingModule({ overrides: { wasmBinary: (wasm as unknown as Uint8Array<ArrayBuffer>).buffer } });

/** The text of the one receipt code in a picture file; throws Refused (`picture-...`). */
export async function readPicture(file: Blob): Promise<string> {
  let picture: ImageBitmap;
  try {
    picture = await createImageBitmap(file);
  } catch {
    throw new Refused("picture-unreadable");
  }
  const pixels = picture.width * picture.height;
  const fitting = Math.min(1, Math.sqrt(MAX_PIXELS / pixels));
  for (const scale of SCALES.map((scale) => scale * fitting)) {
    if (scale > fitting && pixels * scale * scale > MAX_PIXELS) continue;
    const found = await codes(picture, picture.width * scale, picture.height * scale);
    if (found.length > 1) throw new Refused("picture-several-codes");
    if (found[0] !== undefined) return found[0];
  }
  throw new Refused("picture-no-code");
}

/** Films until a receipt's code is seen or `stop` is called; gives its text, or undefined when stopped. */
export class Camera {
  private stream: MediaStream | undefined;

  constructor(private readonly video: HTMLVideoElement) {}

  /** Whether this browser lets a page opened like this one use a camera at all. */
  static get offered(): boolean {
    return typeof navigator.mediaDevices?.getUserMedia === "function";
  }

  /** Throws Refused("camera-refused") when there is no camera, or it may not be used. */
  async scan(): Promise<string | undefined> {
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ video: VIDEO, audio: false });
    } catch {
      throw new Refused("camera-refused");
    }
    this.video.srcObject = this.stream;
    try {
      await this.video.play();
      return await this.look();
    } finally {
      this.stop();
    }
  }

  private async look(): Promise<string | undefined> {
    while (this.stream) {
      const { videoWidth, videoHeight } = this.video;
      const [found] = videoWidth ? await codes(this.video, videoWidth, videoHeight) : [];
      if (found !== undefined) return found;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    return undefined;
  }

  stop(): void {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = undefined;
    this.video.srcObject = null;
  }
}

/** The different texts of receipt codes in a picture that is drawn at this size. */
async function codes(source: CanvasImageSource, width: number, height: number): Promise<string[]> {
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(width);
  canvas.height = Math.round(height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context || !canvas.width || !canvas.height) return [];
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  const texts = (await read(pixels)).map((result) => result.text);
  return [...new Set(texts.filter((text) => text.startsWith(PREFIX)))];
}

/** Throws Refused("scanner-failed") where the browser runs no WebAssembly under a policy (Safari before 16). */
async function read(pixels: ImageData): Promise<ReadResult[]> {
  try {
    return await readBarcodes(pixels, { formats: ["QRCode"], tryHarder: true });
  } catch {
    throw new Refused("scanner-failed");
  }
}
