/** Rows or texts a portion at a time. */
// Items handled in one call.
const AT_ONCE = 256;

export async function* portions<T>(items: AsyncIterable<T> | Iterable<T>): AsyncGenerator<T[]> {
	let part: T[] = [];
	for await (const item of items) {
		part.push(item);
		if (part.length < AT_ONCE) continue;
		yield part;
		part = [];
	}
	if (part.length > 0) yield part;
}
