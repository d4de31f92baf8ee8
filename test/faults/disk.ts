/** A folder in memory to which recorded calls are applied, and what a crash at any moment may leave of it. */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Call } from './log.js';

interface File {
	data: Buffer;
	/** As it was at the last fsync. */
	synced: Buffer;
}

interface Folder {
	names: Map<string, File | Folder>;
	synced: Map<string, File | Folder>;
}

const isFolder = (entry: File | Folder | undefined): entry is Folder => entry !== undefined && 'names' in entry;

/**
 * What a crash may take: nothing; data of files that was not flushed, leaving them short or full of zeros; names that were not, in all
 * folders or in one of them.
 */
export type Loss = 'nothing' | 'data' | 'zeros' | 'names' | { readonly namesIn: string };

/** Names and what they stand for: data or a folder. */
export type Image = Map<string, Buffer | Image>;

/** Makes `folder`, which is not there, of an image. */
export function writeImage(folder: string, image: Image): void {
	mkdirSync(folder);
	for (const [name, content] of image)
		if (content instanceof Map) writeImage(join(folder, name), content);
		else writeFileSync(join(folder, name), content);
}

export class Disk {
	readonly #path: string;
	readonly #root: Folder;
	readonly #open = new Map<number, File | Folder>();

	/** Holds what the folder `path` holds now, all of it flushed. */
	constructor(path: string) {
		this.#path = path;
		this.#root = snapshot(path);
	}

	apply({ what, file, number, path, to, data }: Call): void {
		const opened = this.#open.get(file);
		if (what === 'open') this.#open.set(file, this.#opened(path, number));
		else if (what === 'close') this.#open.delete(file);
		else if (what === 'mkdir') this.#in(path).names.set(basename(path), { names: new Map(), synced: new Map() });
		else if (what === 'unlink' || what === 'rmdir') this.#in(path).names.delete(basename(path));
		else if (what === 'rename') {
			const moved = this.#entry(path);
			this.#in(path).names.delete(basename(path));
			this.#in(to).names.set(basename(to), moved);
		} else if (isFolder(opened)) opened.synced = new Map(opened.names);
		else if (opened === undefined) throw new Error(`${what} of a file that was not opened`);
		else if (what === 'sync') opened.synced = opened.data;
		else if (what === 'truncate') opened.data = resized(opened.data, number);
		else if (what === 'write') {
			opened.data = Buffer.from(resized(opened.data, Math.max(opened.data.length, number + data.length)));
			data.copy(opened.data, number);
		}
	}

	/** Losses that make a difference now. */
	losses(): Loss[] {
		const unsynced = this.#folders().filter(
			([, { names, synced }]) => names.size !== synced.size || [...names].some(([name, entry]) => synced.get(name) !== entry),
		);
		return ['nothing', 'data', 'zeros', 'names', ...unsynced.map(([namesIn]): Loss => ({ namesIn }))];
	}

	/** What is left after `loss`; later calls do not change it. */
	after(loss: Loss): Image {
		const drops = (path: string) => loss === 'names' || (typeof loss === 'object' && loss.namesIn === path);
		const dataOf = ({ data, synced }: File) => (loss === 'data' ? synced : loss === 'zeros' && data !== synced ? Buffer.alloc(data.length) : data);
		const imageOf = (path: string, { names, synced }: Folder): Image =>
			new Map([...(drops(path) ? synced : names)].map(([name, entry]) => [name, isFolder(entry) ? imageOf(join(path, name), entry) : dataOf(entry)]));
		return imageOf(this.#path, this.#root);
	}

	#opened(path: string, flags: number): File | Folder {
		if (path === this.#path) return this.#root;
		const there = this.#in(path).names.get(basename(path));
		if (there === undefined) {
			const created: File = { data: Buffer.alloc(0), synced: Buffer.alloc(0) };
			this.#in(path).names.set(basename(path), created);
			return created;
		}
		if (flags & 2 && !isFolder(there)) there.data = Buffer.alloc(0);
		return there;
	}

	#entry(path: string): File | Folder {
		if (path === this.#path) return this.#root;
		const entry = this.#in(path).names.get(basename(path));
		if (entry === undefined) throw new Error(`${path} is not there`);
		return entry;
	}

	#in(path: string): Folder {
		const folder = this.#entry(dirname(path));
		if (!isFolder(folder)) throw new Error(`${dirname(path)} is not a folder`);
		return folder;
	}

	#folders(path = this.#path, folder = this.#root): [string, Folder][] {
		const inner = [...folder.names].flatMap(([name, entry]) => (isFolder(entry) ? this.#folders(join(path, name), entry) : []));
		return [[path, folder], ...inner];
	}
}

function snapshot(path: string): Folder {
	const names = new Map(
		readdirSync(path).map((name): [string, File | Folder] => {
			const inner = join(path, name);
			if (statSync(inner).isDirectory()) return [name, snapshot(inner)];
			const data = readFileSync(inner);
			return [name, { data, synced: data }];
		}),
	);
	return { names, synced: new Map(names) };
}

function resized(data: Buffer, length: number): Buffer {
	return length <= data.length ? data.subarray(0, length) : Buffer.concat([data, Buffer.alloc(length - data.length)]);
}
