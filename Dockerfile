# gharial in two stages: the first builds and fetches the models, the second holds what runs.
#   docker build -t gharial --build-arg COMMIT=$(git describe --always --tags --dirty) .
FROM debian:bookworm-slim AS build
RUN apt-get update -q && apt-get install -yq --no-install-recommends make && rm -rf /var/lib/apt/lists/*
WORKDIR /gharial
COPY Makefile ./
RUN make deps && rm -rf /var/lib/apt/lists/*
COPY include include
COPY api api
COPY src src
# OpenBLAS, for training, goes into the program: as Debian's library, with Fortran's, it takes 22 MB more.
ENV OPENBLAS=-l:libopenblas.a
RUN make -j"$(nproc)" all
COPY models models
RUN make models
# what is left of models are the folders that have weights, or put together what has
RUN find models -mindepth 1 -maxdepth 1 ! -exec test -e {}/model.onnx \; ! -exec test -e {}/head.onnx \; \
      ! -exec grep -qs '"pipeline"' {}/model.json \; -exec rm -r {} +
# what /version tells of the source; last, so that a new commit alone builds little again
ARG COMMIT=
RUN make all && strip -o /usr/local/bin/gharial .build/gharial

FROM debian:bookworm-slim
RUN apt-get update -q \
 && apt-get install -yq --no-install-recommends libmicrohttpd12 libjansson4 libjpeg62-turbo libspng0 libwebp7 \
      libxxhash0 libexpat1 \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /usr/local/bin/gharial /usr/local/bin/gharial
COPY --from=build /usr/share/doc/libopenblas-pthread-dev/copyright /usr/share/doc/libopenblas/copyright
COPY --from=build /gharial/models /models
USER 65534:65534
EXPOSE 8080
# Inside the container every address is its own: who may reach it is decided by what the port is published to.
ENV GHARIAL_LISTEN=0.0.0.0:8080 GHARIAL_INSECURE=1 GHARIAL_MODELS=/models
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["gharial", "health", "--listen", "127.0.0.1:8080"]
ENTRYPOINT ["gharial"]
CMD ["serve"]
