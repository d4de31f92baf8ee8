/** A file that is there whole or not at all. */
import { open, rename, rm } from 'node:fs/promises';

export interface WholeFile {
	write(data: string | Uint8Array): Promise<void>;
	/** Gives the file its name, or another beside it. */
	commit(name?: string): Promise<void>;
	/** Leaves nothing behind, unless the file was committed. To be called in the end in any case. */
	discard(): Promise<void>;
}

/** Throws what `refused` makes of a failure of the file system, here and from the methods. */
export async function openWholeFile(path: string, refused: (cause: Error) => Error): Promise<WholeFile> {
	const temporary = `${path}.tmp-${process.pid}`;
	const inOurWords = (cause: Error): never => {
		throw refused(cause);
	};
	const handle = await open(temporary, 'wx').catch(inOurWords);
	return {
		write: (data) => handle.appendFile(data).catch(inOurWords),
		commit: async (name = path) => {
			await handle.sync().catch(inOurWords);
			await handle.close();
			await rename(temporary, name).catch(inOurWords);
		},
		discard: async () => {
			await handle.close();
			await rm(temporary, { force: true });
		},
	};
}
