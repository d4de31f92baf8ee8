/** What is kept of a libtorch, and how it comes out of a wheel or an official zip. */
import { createWriteStream, mkdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { type Entry, type Options, open as openZip, type ZipFile } from 'yauzl';

// c10 and torch_cpu and what they ask for besides the system's: readelf -d, the load commands, the import tables.
const libraries =
	/^lib\/(lib(c10|torch_cpu|cudart[^/]*|gomp[^/]*|iomp5)\.(so|dylib)[^/]*|(c10|torch_cpu)\.(dll|lib)|(asmjit|fbgemm|libiomp5md|uv)\.dll)$/;

/** Path under torch/ of an archive member that is kept; undefined for the others. */
export function keptMember(name: string): string | undefined {
	if (name.endsWith('/') || name.split('/').includes('..')) return undefined;
	if (/^torch-[^/]+\.dist-info\/(LICENSE|NOTICE)$/.test(name)) return basename(name);
	const inside = name.replace(/^(torch|libtorch)\//, '');
	return /^(include\/.+|version\.py|build-version)$/.test(inside) || libraries.test(inside) ? inside : undefined;
}

const openArchive = promisify((path: string, options: Options, done: (error: Error | null, zip: ZipFile) => void) => openZip(path, options, done));

/** Unpacks what is kept of a wheel or an official zip into `folder`. */
export async function unpack(archive: string, folder: string): Promise<void> {
	const zip = await openArchive(archive, { lazyEntries: true, autoClose: false });
	try {
		const stream = promisify((entry: Entry, done: (error: Error | null, stream: Readable) => void) => zip.openReadStream(entry, done));
		await new Promise<void>((resolve, reject) => {
			zip.on('error', reject);
			zip.on('end', resolve);
			zip.on('entry', (entry: Entry) => {
				const kept = keptMember(entry.fileName);
				if (kept === undefined) return zip.readEntry();
				const target = join(folder, kept);
				mkdirSync(dirname(target), { recursive: true });
				stream(entry)
					.then((data) => pipeline(data, createWriteStream(target)))
					.then(() => zip.readEntry(), reject);
			});
			zip.readEntry();
		});
	} finally {
		zip.close();
	}
}
