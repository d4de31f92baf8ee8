/** manifest.json of a checkpoint: what it holds, so that a folder can be told to be whole. */
import { createHash } from 'node:crypto';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { flushFile } from '../model/write-folder.js';
import { sha256OfFile } from '../runtime/hash.js';
import { isFile } from '../runtime/is-file.js';
import { double, exactly, list, object, type Reader, sha256, text, Unexpected, whole } from './strict.js';

/** Where a run stands when it is saved. */
export interface CheckpointFacts {
	readonly step: number;
	readonly epoch: number;
	/** Rows of all passes so far, of all processes together. */
	readonly globalSamples: number;
	/** Processes that train together. */
	readonly world: number;
	/** 1 more than that of any checkpoint that stood beside it: tells the newer one where an earlier run has left its own. */
	readonly sequence: number;
}

export interface ManifestFile {
	/** A plain name. */
	readonly name: string;
	readonly bytes: number;
	readonly sha256: string;
}

export interface Manifest extends CheckpointFacts {
	readonly format: 1;
	/** Of every file but this one, sorted by name. */
	readonly files: readonly ManifestFile[];
	/** Over the JSON of the other fields: a flipped bit in this file is found too. */
	readonly sha256: string;
}

const fileName = 'manifest.json';
// A dozen files of a hundred bytes each; more is not ours.
const largestFile = 2 ** 20;

/** Writes and flushes the manifest of all files in `folder`, which are flushed already. */
export async function sealFolder(folder: string, facts: CheckpointFacts): Promise<Manifest> {
	const files: ManifestFile[] = [];
	for (const name of (await readdir(folder)).sort()) {
		const path = join(folder, name);
		files.push({ name, bytes: (await stat(path)).size, sha256: await sha256OfFile(path) });
	}
	const manifest = sealed({ format: 1, ...facts, files });
	const path = join(folder, fileName);
	await writeFile(path, manifestText(manifest));
	await flushFile(path);
	return manifest;
}

/** The manifest of `folder`. Throws an Error whose message is the reason where it is not there or not as it was written. */
export async function readManifest(folder: string): Promise<Manifest> {
	const path = join(folder, fileName);
	if (!(await isFile(path))) throw new Error(`it has no ${fileName}`);
	if ((await stat(path)).size > largestFile) throw new Error(`its ${fileName} is larger than ${largestFile} bytes`);
	const written = await readFile(path, 'utf8');
	const manifest = parsed(written);
	if (manifestText(sealed(manifest)) !== written) throw new Error(`its ${fileName} is not as it was written`);
	return manifest;
}

/** Why the files in `folder` are not those of `manifest`; undefined where they are. `hashes`: whether they are read, not only measured. */
export async function fileFault(
	{ folder, manifest }: { readonly folder: string; readonly manifest: Manifest },
	hashes: boolean,
): Promise<string | undefined> {
	for (const { name, bytes } of manifest.files) {
		const info = await stat(join(folder, name)).catch(() => undefined);
		if (!info?.isFile()) return `${name} is missing`;
		if (info.size !== bytes) return `${name} has ${info.size} bytes, expected ${bytes}`;
	}
	for (const { name, sha256 } of hashes ? manifest.files : []) {
		const hash = await sha256OfFile(join(folder, name)).catch((error: Error) => error);
		if (hash !== sha256) return hash instanceof Error ? `${name} cannot be read (${hash.message})` : `${name} is not as it was written`;
	}
	return undefined;
}

const manifestText = (manifest: Manifest) => `${JSON.stringify(manifest, undefined, '\t')}\n`;

/** With the sum over its other fields. */
function sealed({ sha256: _, ...content }: Omit<Manifest, 'sha256'> & { readonly sha256?: string }): Manifest {
	return { ...content, sha256: createHash('sha256').update(JSON.stringify(content)).digest('hex') };
}

const plainName: Reader<string> = (value, place) => {
	const name = text(value, place);
	if (name === '' || name === '.' || name === '..' || name === fileName || /[/\\\0]/.test(name)) throw new Unexpected(place, 'a plain name', name);
	return name;
};

const manifestOf: Reader<Manifest> = object<Manifest>({
	format: exactly(1),
	step: whole,
	epoch: double,
	globalSamples: whole,
	world: whole,
	sequence: whole,
	files: list(object<ManifestFile>({ name: plainName, bytes: whole, sha256 })),
	sha256,
});

function parsed(written: string): Manifest {
	try {
		return manifestOf(JSON.parse(written), fileName);
	} catch (cause) {
		if (cause instanceof Unexpected) throw cause;
		throw new Error(`its ${fileName} is not JSON`, { cause });
	}
}
