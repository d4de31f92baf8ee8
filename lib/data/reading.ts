/** What a reading of rows is asked, and what a kind of file has to offer for it. */
import type { DataError } from '../errors.js';
import type { Columns, FileRow, Origin } from './row.js';

/** Given by those who will write rows again: rows then come with their `original`. */
export interface Keep {
	/** Told what stands before the first row. */
	header(bytes: Uint8Array): void;
}

/** Rows of a file's bytes; a row that is none comes as the DataError it is. What ends the reading is thrown. */
export type RowReader = (
	chunks: AsyncIterable<Buffer>,
	columns: Columns,
	origin: Origin,
	keep?: Keep | undefined,
) => AsyncGenerator<FileRow | DataError>;

export interface Reading {
	readonly columns: Columns;
	/** Told every byte of the file as it lies there; for a folder, names too. */
	readonly hash?: ((bytes: string | Uint8Array) => void) | undefined;
	/** Told of a file that is not UTF-8, and where its first such byte is if that is known; without it such a file is refused. */
	readonly onNotUtf8?: ((file: string, offset?: number) => void) | undefined;
	/** Most bytes that may come out of what is compressed. @default 64 GiB of gzip, which is streamed; 4 GiB of Parquet */
	readonly maxDecodedBytes?: number | undefined;
	/** Of files of text only. */
	readonly keep?: Keep | undefined;
}

export interface Format {
	readonly name: 'CSV' | 'TSV' | 'JSON lines' | 'JSON' | 'lines' | 'Parquet' | 'folder';
	readonly unit: Origin['unit'];
	/** Rows of the file or folder at `path`, streamed; a row that is none comes as the DataError it is. */
	rows(path: string, reading: Reading): AsyncGenerator<FileRow | DataError>;
}
